package keeper

import (
	"context"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/proctree"
	"github.com/seed354a1416/deliveryboy/job/store"
)

var (
	errIdle    = fmt.Errorf("%w at the moment", store.ErrNotRunning)
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

// each signals the worker and all that it started, but not the guardian: that one has to see to them.
func (k *keeper) each(sig syscall.Signal) error {
	_, info := k.working()
	if info == nil {
		return errIdle
	}
	tree := proctree.Below(info.PID, nil)
	if st, ok := proctree.StatOf(info.PID); ok {
		tree = append(tree, proctree.Process{PID: info.PID, Parent: st.Parent})
	}
	for _, p := range tree {
		p.Signal(sig)
	}
	return nil
}

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
