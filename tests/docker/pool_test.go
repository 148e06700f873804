package docker

import (
	"sync"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/ways"
)

// A pool whose workers are in a container: calls and commands run there, and workers that die are replaced.
func TestPool(t *testing.T) {
	into(t)
	p, err := pool.Open(t.Context(), pool.Options{
		Via: through(shelled), Size: 2, MaxTasksPerWorker: 6, Session: session.Options{Program: program},
	})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer p.Close()
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			for range 3 {
				if _, err := ways.Whoami.On(p)(); err != nil {
					t.Errorf("%+v", err)
				}
				out, err := p.Commands().Shell(t.Context(), "cat; echo there >&2; exit 3")
				if err != nil || out.Code != 3 || string(out.Stderr) != "there\n" {
					t.Errorf("%q, %+v, %+v", out.Stderr, out, err)
				}
			}
		})
	}
	work.Wait()
	if err := ways.Die.On(p)(int(syscall.SIGKILL)); err == nil {
		t.Error("a worker survived its death")
	}
	if _, err := ways.Whoami.On(p)(); err != nil {
		t.Errorf("%+v", err)
	}
	s := p.Stats()
	if s.Replaced[pool.ReplacedSpent] < 3 || s.Replaced[pool.ReplacedLost] != 1 || s.Calls != 26 {
		t.Errorf("%+v", s)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
