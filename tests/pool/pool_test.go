//go:build linux

package pool

import (
	"context"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestOverTransports: a pool is a pool, whatever is on the way to its workers: calls and commands run as who they should,
// dead workers are replaced, hung ones too, and nothing is left.
func TestOverTransports(t *testing.T) {
	for _, c := range []struct {
		name string
		via  transport.Transport
		uid  int
		need func()
	}{
		{"self", transport.Self{}, os.Getuid(), func() {}},
		{"sudo", transport.Sudo{}, 0, func() { st.NeedSudo(t) }},
		{"ssh", sshHop(), os.Getuid(), func() { st.NeedSSH(t) }},
		{"ssh then sudo", transport.Chain{sshHop(), transport.Sudo{}}, 0, func() { st.NeedSSH(t); st.NeedSudo(t) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.need()
			p, err := pool.Open(limited(t), pool.Options{
				Via: c.via, Size: 2, MaxTasksPerWorker: 8, TaskTimeout: 20 * time.Second,
				Session: session.Options{Grace: 100 * time.Millisecond},
			})
			must(t, err)
			t.Cleanup(func() { _ = p.Close() })
			var work sync.WaitGroup
			for range 6 {
				work.Go(func() {
					for range 4 {
						who, err := whoami.On(p)()
						if err != nil || who.UID != c.uid {
							t.Errorf("ran as %+v, %v", who, err)
						}
						out, err := p.Commands().Run(t.Context(), "id", "-u")
						if want := itoa(c.uid) + "\n"; err != nil || string(out.Stdout) != want {
							t.Errorf("ran as %q, %v", out.Stdout, err)
						}
					}
				})
			}
			work.Wait()
			if s := p.Stats(); s.Replaced[pool.ReplacedSpent] < 4 || s.Failed != 0 {
				t.Errorf("%+v", s)
			}
			killWorker(t, p)
			if c.name != "ssh" { // as behind self
				hangWorker(t, p)
			}
			must(t, p.Close())
			nothingLeft(t, "the end of a pool over "+c.name)
		})
	}
}

// A program whose workers may run commands has said so.
func TestNotRegistered(t *testing.T) {
	said, err := role("bare", "").Output()
	if err != nil || string(said) != "true true <nil>\n" {
		t.Errorf("%q, %v", said, err)
	}
}

// killWorker kills a worker that has a command, and wants the next one to run.
func killWorker(t *testing.T, p *pool.Pool) {
	t.Helper()
	st.NeedRoot(t)
	s, err := p.Session(t.Context())
	must(t, err)
	who, err := whoami.On(s)()
	must(t, err)
	h, err := s.Commands().Start(t.Context(), "sleep", "1000")
	must(t, err)
	must(t, st.Root.Kill(who.PID, syscall.SIGKILL))
	if _, err := h.Wait(limited(t)); err == nil {
		t.Error("a command survived its worker")
	}
	_ = st.Root.Kill(h.PID(), syscall.SIGKILL) // where there is no guardian, nobody watches over it
	_ = h.Close()
	_ = s.Close()
	_, err = whoami.On(p)()
	must(t, err)
}

// hangWorker stops a worker, whose call the caller gives up then: it is replaced.
func hangWorker(t *testing.T, p *pool.Pool) {
	t.Helper()
	s, err := p.Session(t.Context())
	must(t, err)
	who, err := whoami.On(s)()
	must(t, err)
	must(t, st.Root.Kill(who.PID, syscall.SIGSTOP))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if out, err := s.Commands().Run(ctx, "true"); err == nil {
		t.Errorf("a stopped worker ran it: %+v", out)
	}
	_ = s.Close()
	_, err = whoami.On(p)()
	must(t, err)
	_ = st.Root.Kill(who.PID, syscall.SIGCONT) // behind ssh and without a guardian, nobody else does
}
