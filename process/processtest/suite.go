// Package processtest is what processes and commands have to do over every courier. The far side needs sh, cat, echo, env,
// ls, pwd, sleep and tr.
package processtest

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// Patience is for what a busy machine takes long for.
const Patience = time.Minute

// A Place is a courier, and what is known of its far side.
type Place struct {
	Courier box.Courier // nil: this process
	Warm    bool        // the worker stays between calls, so that a Ref can be resolved
	UID     int         // whom it runs as; -1: as this process
	Other   bool        // its programs are not this machine's, so that what they do cannot be compared
}

// Run runs all of it.
func Run(t *testing.T, p Place) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Place)
	}{
		{"output", output}, {"environ", environ}, {"look path", lookPath}, {"exit", exit}, {"misuse", misuse}, {"stdin", stdin},
		{"pipes", pipes}, {"context", cancelled}, {"wait delay", waitDelay}, {"bulk", bulk}, {"config", config},
		{"labels and streams", labels}, {"signals", signals}, {"stats", stats}, {"stop", stop}, {"close", closed},
		{"start that fails", startFails}, {"ref", ref}, {"as os/exec", asExec},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, p) })
	}
}

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), Patience)
	t.Cleanup(cancel)
	return ctx
}

// seen gathers what comes, and lets one wait for it.
type seen struct {
	mu   sync.Mutex
	all  []byte
	more chan struct{}
}

func newSeen() *seen { return &seen{more: make(chan struct{}, 1)} }

func (s *seen) Write(p []byte) (int, error) {
	s.mu.Lock()
	s.all = append(s.all, p...)
	s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return len(p), nil
}

func (s *seen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return string(s.all)
}

// until waits until ok says so of what came.
func (s *seen) until(t *testing.T, ok func(string) bool) string {
	t.Helper()
	late := time.NewTimer(Patience)
	defer late.Stop()
	for {
		if all := s.String(); ok(all) {
			return all
		}
		select {
		case <-s.more:
		case <-late.C:
			t.Fatalf("it never came, but %q", s)
		}
	}
}
