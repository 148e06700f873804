package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"
)

func linuxOnly(t *testing.T) {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("reads /proc of Linux")
	}
}

func TestHostFacts(t *testing.T) {
	t.Parallel()
	linuxOnly(t)
	f, err := HostFacts(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if f.Hostname != host || f.OS != "linux" || f.Arch != runtime.GOARCH || f.PID != os.Getpid() || f.UID != os.Geteuid() {
		t.Errorf("%+v", f)
	}
	if f.MemoryTotal < 1<<20 || f.MemoryAvailable > f.MemoryTotal || f.UptimeSeconds <= 0 || len(f.BootID) != 36 {
		t.Errorf("%+v", f)
	}
	if !strings.HasPrefix(f.Kernel, "Linux ") || len(f.Load) != 3 || time.Since(f.Time) > time.Minute {
		t.Errorf("%+v", f)
	}
	for _, name := range f.Unknown {
		if name != "distribution" && name != "user" {
			t.Errorf("%s is not known", name)
		}
	}
}

func TestUserLookup(t *testing.T) {
	t.Parallel()
	for _, asked := range []string{"root", "0"} {
		a, err := UserLookup(context.Background(), asked)
		if err != nil || a.Name != "root" || a.UID != 0 || a.Home == "" || a.Shell == "" || len(a.Groups) == 0 {
			t.Errorf("%s: %+v, %v", asked, a, err)
		}
	}
	for _, asked := range []string{"", "no-such-user", "-1", "4294967295", "0x0", "root\n"} {
		_, err := UserLookup(context.Background(), asked)
		wantError(t, err, "user.lookup", fmt.Sprintf("%q", asked), "not known here")
	}
}

func TestGroupLookup(t *testing.T) {
	t.Parallel()
	gid := fmt.Sprint(os.Getegid())
	g, err := GroupLookup(context.Background(), gid)
	if err != nil || fmt.Sprint(g.GID) != gid || g.Name == "" {
		t.Errorf("%+v, %v", g, err)
	}
	_, err = GroupLookup(context.Background(), "no-such-group")
	wantError(t, err, "group.lookup", `"no-such-group"`)
}

func TestUserList(t *testing.T) {
	t.Parallel()
	users, err := UserList(context.Background(), UserQuery{})
	if err != nil || len(users) == 0 || users[0].Name != "root" || users[0].Password != "" {
		t.Fatalf("%+v, %v", users, err)
	}
	users, err = UserList(context.Background(), UserQuery{Password: true})
	if os.Geteuid() != 0 || runtime.GOOS != "linux" {
		if err == nil {
			t.Error("no error without root")
		}
		return
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range users {
		if !slices.Contains([]string{"set", "locked", "none", ""}, u.Password) {
			t.Errorf("%s: password %q", u.Name, u.Password)
		}
	}
	if i := slices.IndexFunc(users, func(u Account) bool { return u.Name == "nobody" }); i < 0 || users[i].Password != "locked" {
		t.Errorf("nobody is not locked: %+v", users)
	}
}

func TestNetListeners(t *testing.T) {
	t.Parallel()
	linuxOnly(t)
	path := filepath.Join(t.TempDir(), "a socket")
	want := map[string]string{"unix": path}
	u, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer u.Close()
	for _, network := range []string{"tcp4", "tcp6"} {
		l, err := net.Listen(network, map[string]string{"tcp4": "127.0.0.1:0", "tcp6": "[::1]:0"}[network])
		if err != nil && network == "tcp6" {
			continue // no IPv6 here
		}
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		want[strings.TrimSuffix(network, "4")] = l.Addr().String()
	}
	pc, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer pc.Close()
	want["udp"] = pc.LocalAddr().String()

	res, err := NetListeners(context.Background(), ListenerQuery{})
	if err != nil {
		t.Fatal(err)
	}
	exe, _ := os.Executable()
	me := Holder{PID: os.Getpid(), Program: exe}
	for protocol, address := range want {
		i := slices.IndexFunc(res.Sockets, func(l Listener) bool { return l.Protocol == protocol && l.Address == address })
		if i < 0 {
			t.Errorf("%s %s is not listed in %+v", protocol, address, res.Sockets)
			continue
		}
		if got := res.Sockets[i]; !slices.Contains(got.Holders, me) || protocol != "unix" && got.UID != os.Geteuid() {
			t.Errorf("%+v, want it held by %+v", got, me)
		}
	}
	if os.Geteuid() == 0 && res.Note != "" {
		t.Errorf("root does not see all: %s", res.Note)
	}
	res, err = NetListeners(context.Background(), ListenerQuery{Protocols: []string{"udp"}})
	if err != nil || slices.ContainsFunc(res.Sockets, func(l Listener) bool { return l.Protocol != "udp" }) {
		t.Errorf("udp only: %+v, %v", res, err)
	}
	_, err = NetListeners(context.Background(), ListenerQuery{Protocols: []string{"sctp"}})
	wantError(t, err, `"sctp"`, "tcp6")
}

func TestProcList(t *testing.T) {
	t.Parallel()
	linuxOnly(t)
	// A name that tries to look like the fields after it.
	script := put(t, filepath.Join(t.TempDir(), "x) R 1 (y"), "#!/bin/sh\necho up\nread x\n", 0o755)
	cmd := exec.Command(script, "an argument", "")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil || cmd.Start() != nil {
		t.Fatal(err)
	}
	defer func() { stdin.Close(); cmd.Wait() }()
	if _, err := out.Read(make([]byte, 3)); err != nil { // the script runs, and has memory
		t.Fatal(err)
	}

	p := findProcess(t, ProcessQuery{PIDs: []int{cmd.Process.Pid}})
	if p.PPID != os.Getpid() || p.UID != os.Geteuid() || p.User == "" || p.Threads != 1 || p.Resident <= 0 {
		t.Errorf("%+v", p)
	}
	if p.Name != "x) R 1 (y" || !slices.Contains(p.Args, "an argument") || p.Args[len(p.Args)-1] != "" {
		t.Errorf("name %q, arguments %q", p.Name, p.Args)
	}
	if d := time.Since(p.Start); d < -2*time.Second || d > time.Hour {
		t.Errorf("started %v ago", d)
	}
	findProcess(t, ProcessQuery{Name: "x) R 1 (y", User: fmt.Sprint(os.Geteuid())})
	all, err := ProcList(context.Background(), ProcessQuery{})
	if err != nil || len(all) < 2 {
		t.Errorf("%d processes, %v", len(all), err)
	}
	_, err = ProcList(context.Background(), ProcessQuery{User: "no-such-user"})
	wantError(t, err, `"no-such-user"`)
}

// findProcess is the one process that q asks for.
func findProcess(t *testing.T, q ProcessQuery) Process {
	t.Helper()
	found, err := ProcList(context.Background(), q)
	if err != nil || len(found) != 1 {
		t.Fatalf("%+v: %+v, %v, want one process", q, found, err)
	}
	return found[0]
}

func TestUnsupportedElsewhere(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "linux" {
		t.Skip("all of it is supported here")
	}
	_, errProc := ProcList(context.Background(), ProcessQuery{})
	_, errNet := NetListeners(context.Background(), ListenerQuery{})
	if !errors.Is(errProc, errors.ErrUnsupported) || !errors.Is(errNet, errors.ErrUnsupported) {
		t.Errorf("%v; %v", errProc, errNet)
	}
}
