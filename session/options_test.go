package session

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/transport"
)

func TestOptionsCheck(t *testing.T) {
	for _, c := range []struct {
		o    Options
		want string // in the error; empty for none
	}{
		{Options{}, ""},
		{Options{Umask: -1, Nice: 19, Grace: time.Minute, Heartbeat: -1, Dir: "/srv", Env: []string{"A=b"}}, ""},
		{Options{Umask: 0o1000}, "Umask"},
		{Options{Nice: 20}, "Nice"},
		{Options{Grace: time.Hour}, "Grace"},
		{Options{Heartbeat: 1}, "Heartbeat"},
		{Options{Dir: "srv"}, "absolute"},
		{Options{Program: "app"}, "absolute"},
		{Options{Patience: -1}, "Patience -1ns"},
		{Options{MaxReply: -1}, "MaxReply -1"},
		{Options{OutputLimit: -1}, "OutputLimit"},
		{Options{Concurrent: -1}, "Concurrent"},
		{Options{MaxCalls: -1}, "MaxCalls"},
		{Options{Idle: -1}, "Idle"},
		{Options{Lifetime: -1}, "Lifetime"},
		{Options{Env: []string{"LD_PRELOAD=x"}}, "LD_PRELOAD"},
	} {
		err := c.o.check()
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%+v: %v, want %q", c.o, err, c.want)
		}
	}
}

func TestHeartbeatWhereTheFarSideMayBeFar(t *testing.T) {
	for _, c := range []struct {
		via    transport.Transport
		o      time.Duration
		want   time.Duration
		socket bool
	}{
		{transport.Self{}, 0, 0, true},
		{transport.Sudo{}, 0, 0, true},
		{transport.Chain{transport.Userns{}, transport.Sudo{}}, 0, 0, true},
		{transport.SSH{Host: "h"}, 0, defaultHeartbeat, false},
		{transport.Chain{transport.Sudo{}, transport.SSH{Host: "h"}}, 0, defaultHeartbeat, false},
		{transport.SSH{Host: "h"}, -1, 0, false},
		{transport.Self{}, time.Minute, time.Minute, true},
		{transport.Chain{transport.Setpriv{NoNewPrivs: true}, transport.Su{}, transport.Doas{}}, 0, 0, true},
		{transport.Docker{Container: "c"}, 0, defaultHeartbeat, false},
		{transport.Chain{transport.Runuser{User: "www"}, transport.Docker{Container: "c"}}, 0, defaultHeartbeat, false},
	} {
		o := Options{Via: c.via, Heartbeat: c.o}
		if got := o.heartbeat(); got != c.want || transport.Local(c.via) != c.socket {
			t.Errorf("%s: %s, socket %t; want %s, %t", c.via, got, transport.Local(c.via), c.want, c.socket)
		}
	}
}

// TestTextIsForced: where a transport changes bytes, the handshake must not find out otherwise.
func TestTextIsForced(t *testing.T) {
	for via, want := range map[transport.Transport]wire.Mode{
		transport.Self{}:                      wire.Auto,
		transport.Docker{Container: "c"}:      wire.Auto,
		transport.Machinectl{Machine: "web1"}: wire.Text,
		transport.BSub{}:                      wire.Text,
	} {
		o := Options{Via: transport.Chain{transport.Sudo{}, via}}
		if got := o.preamble(false, false).Mode; got != want {
			t.Errorf("%s: mode %q, want %q", via, got, want)
		}
	}
}

type funcWriter func([]byte) (int, error) // cannot be compared

func (f funcWriter) Write(p []byte) (int, error) { return f(p) }

func TestSinks(t *testing.T) {
	calls := 0
	full := funcWriter(func([]byte) (int, error) { calls++; return 0, errors.New("disk full") })
	out, err := sinksOf(full, full)
	if out == err {
		t.Error("writers that cannot be compared are the same")
	}
	for range 3 {
		if n, err := out.Write([]byte("x")); n != 1 || err != nil {
			t.Error(n, err)
		}
	}
	if calls != 1 {
		t.Errorf("a writer that failed was asked %d times", calls)
	}
	if out, err := sinksOf(os.Stdout, os.Stdout); out != err {
		t.Error("one writer has two sinks")
	}
}

func TestSocketpair(t *testing.T) {
	theirs, ours, err := socketpair()
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if _, err := ours.WriteString("hello"); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() {
		_, err := ours.Read(make([]byte, 1))
		ended <- err
	}()
	buf := make([]byte, 10)
	if n, err := theirs.Read(buf); string(buf[:n]) != "hello" || err != nil {
		t.Error(n, err)
	}
	shutdown(ours)
	if err := <-ended; err != io.EOF {
		t.Error(err)
	}
	if _, err := theirs.Read(buf); err != io.EOF {
		t.Error(err)
	}
	theirs.Close()
}

func TestAnswerFields(t *testing.T) {
	f, err := fieldsOf([]byte("pid \"12\"\ngroups \"1\"\ngroups \"2\"\nhost \"a b\"\n"))
	if err != nil || f.number("pid") != 12 || f.text("host") != "a b" || len(f.values["groups"]) != 2 || f.err != nil {
		t.Errorf("%+v, %v", f, err)
	}
	if f.number("host"); f.err == nil {
		t.Error("a number of letters")
	}
	if _, err := fieldsOf([]byte("pid 12\n")); err == nil {
		t.Error("a value without quotes")
	}
}
