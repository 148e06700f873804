package main

import (
	"net"
	"net/netip"
	"os"
	"runtime"
	"testing"
)

func TestParseAddr(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ in, want string }{
		{"0100007F:0016", "127.0.0.1:22"},
		{"00000000:1F90", "0.0.0.0:8080"},
		{"00000000000000000000000001000000:0016", "[::1]:22"},
		{"0000000000000000FFFF00000100007F:0016", "127.0.0.1:22"},
		{"0100007F", ""}, {"0100007F:10000", ""}, {"01007F:0016", ""}, {"zz00007F:0016", ""}, {"", ""},
	} {
		got, err := parseAddr(tt.in)
		if tt.want == "" {
			if err == nil {
				t.Errorf("parseAddr(%q) = %v, want an error", tt.in, got)
			}
			continue
		}
		if err != nil || got != netip.MustParseAddrPort(tt.want) {
			t.Errorf("parseAddr(%q) = %v, %v; want %s", tt.in, got, err, tt.want)
		}
	}
}

func TestParseSockets(t *testing.T) {
	t.Parallel()
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0016 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 4711 1 0000 100 0 0 10 0
   1: 0100007F:0017 0100007F:0018 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0000 100 0 0 10 0
   2: nonsense
   3: 0100007F:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000    -1        0 4713 1 0000 100 0 0 10 0
`
	got := parseSockets("tcp", table)
	if len(got) != 1 || got[0].inode != 4711 || got[0].listener.UID != 1000 || got[0].listener.Addr.Port() != 22 {
		t.Errorf("got %+v, want the one socket that listens", got)
	}
}

func TestJudgeListener(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		addr, program string
		want          []Severity
	}{
		{"127.0.0.1:6379", "/usr/bin/redis-server", nil},
		{"0.0.0.0:6379", "/usr/bin/redis-server", []Severity{High}},
		{"[::]:22", "/usr/sbin/sshd", []Severity{Note}},
		{"127.0.0.1:22", "/usr/sbin/sshd (deleted)", []Severity{Warn}},
	} {
		var r ListenerReport
		r.judge(Listener{Proto: "tcp", Addr: netip.MustParseAddrPort(tt.addr), PID: 1, Program: tt.program})
		if len(r.Findings) != len(tt.want) || len(tt.want) == 1 && r.Findings[0].Severity != tt.want[0] {
			t.Errorf("%s %s: %+v, want %v", tt.addr, tt.program, r.Findings, tt.want)
		}
	}
}

func TestAuditListeners(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc")
	}
	own, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	report, err := auditListeners(t.Context(), ListenerQuery{})
	if err != nil {
		t.Fatal(err)
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range report.Listeners {
		if l.Addr == own.Addr().(*net.TCPAddr).AddrPort() {
			if l.PID != os.Getpid() || l.Program != exe || int(l.UID) != os.Getuid() {
				t.Errorf("got %+v, want this test, pid %d", l, os.Getpid())
			}
			return
		}
	}
	t.Errorf("own socket %v is not among %+v", own.Addr(), report.Listeners)
}
