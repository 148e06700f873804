package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/proctree"
	"github.com/seed354a1416/deliveryboy/job/store"
)

var (
	errIdle    = fmt.Errorf("%w at the moment", store.ErrNotRunning)
	errFork    = errors.New("its processes fork faster than they can be signalled")
	errStopped = errors.New("its worker is stopped, and cannot answer: resume it first")
)

// Stats are the processes of a job: its worker and what that started, without the keeper.
type Stats struct {
	WorkerPID int           // 0 if none runs
	Processes int           // the worker's guardian included
	Threads   int           // of all of them
	RSS       int64         // bytes of memory, of all of them
	CPU       time.Duration // that they used; of those that have ended only what their parents were told
	Suspended bool          // the worker is stopped
}

func (k *keeper) stats() *Stats {
	var s Stats
	_, info := k.working()
	if info == nil {
		return &s
	}
	s.WorkerPID = info.PID
	for _, p := range proctree.Below(os.Getpid(), nil) {
		st, ok := proctree.StatOf(p.PID)
		if !ok || st.State == 'Z' {
			continue
		}
		s.Processes++
		s.Threads += st.Threads
		s.RSS += st.RSS
		s.CPU += st.CPU
		if p.PID == s.WorkerPID {
			s.Suspended = st.Stopped()
		}
	}
	return &s
}

// signal signals the worker. It does so itself: a worker that is stopped does not read.
func (k *keeper) signal(sig syscall.Signal) error {
	if sig <= 0 || sig > maxSignal {
		return fmt.Errorf("signal %d: 1 to %d are allowed", int(sig), maxSignal)
	}
	_, info := k.working()
	if info == nil {
		return errIdle
	}
	if st, ok := proctree.StatOf(info.PID); ok {
		proctree.Process{PID: info.PID, Parent: st.Parent}.Signal(sig)
	}
	return nil
}

const maxSignal = 64

// each signals the worker and all that it started, but not the guardian: that one has to see to them. The worker comes
// first, and they are looked for until there are no new ones: what is to be stopped may be forking.
func (k *keeper) each(sig syscall.Signal) error {
	_, info := k.working()
	if info == nil {
		return errIdle
	}
	st, ok := proctree.StatOf(info.PID)
	if !ok {
		return errIdle
	}
	proctree.Process{PID: info.PID, Parent: st.Parent}.Signal(sig)
	seen := map[proctree.Process]bool{}
	for range maxLooks {
		found := false
		for _, p := range proctree.Below(info.PID, nil) {
			if !seen[p] {
				seen[p], found = true, true
				p.Signal(sig)
			}
		}
		if !found {
			return nil
		}
	}
	return errFork
}

// maxLooks bounds the hunt for processes that fork.
const maxLooks = 100

// dump returns the stacks of the worker's goroutines.
func (k *keeper) dump(ctx context.Context) (string, error) {
	s, info := k.working()
	if s == nil {
		return "", errIdle
	}
	if st, ok := proctree.StatOf(info.PID); ok && st.Stopped() {
		return "", errStopped
	}
	return s.Dump(ctx)
}

// endOrphans kills what a worker that has ended left behind, because its guardian was killed too.
func endOrphans() {
	if children, ok := proctree.Children(); ok && len(children) == 0 {
		if again, ok := proctree.Children(); ok && len(again) == 0 {
			return
		}
	}
	for deadline := time.Now().Add(orphanTimeout); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		left := proctree.Below(os.Getpid(), detached.Is)
		if len(left) == 0 {
			return
		}
		for _, p := range left {
			p.Signal(unix.SIGKILL)
			_, _ = unix.Wait4(p.PID, nil, unix.WNOHANG, nil)
		}
	}
}

const orphanTimeout = 2 * time.Second
