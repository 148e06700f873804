package job

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/job/keeper"
	"github.com/seed354a1416/deliveryboy/job/store"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// startHere starts a job on this machine, or finds that it has been started. The keeper's number is 0 if the job waits in a
// queue.
func startHere(ctx context.Context, data []byte) (pid int, existed bool, err error) {
	o, err := unpackOrder(data)
	if err == nil {
		err = o.check(ctx)
	}
	if err != nil {
		return 0, false, err
	}
	s, err := store.Open()
	if err != nil {
		return 0, false, err
	}
	defer s.Close()
	r := &o.Record
	r.Submitted, r.Program = time.Now(), registry.Fingerprint()
	if err := settings(r); err != nil {
		return 0, false, err
	}
	j, err := s.Begin(r.ID)
	if errors.Is(err, fs.ErrExist) && s.Clear(r.ID) { // whoever began it was gone before it was a job
		j, err = s.Begin(r.ID)
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		pid, err = again(s, r)
		return pid, true, err
	case err != nil:
		return 0, false, err
	case r.Queue != "":
		return 0, false, enqueue(s, j, &o)
	}
	pid, err = run(j, func() error { return j.Order(r, o.Call) })
	return pid, false, err
}

// run starts the keeper of a job whose lock is held. Meanwhile the job is ordered.
func run(j *store.Job, ordered func() error) (pid int, err error) {
	k, err := keeper.Start(j)
	if err == nil {
		if err = ordered(); err == nil {
			err = k.Go()
		} else {
			k.Stop()
		}
	}
	switch {
	case errors.Is(err, store.ErrOrdering):
		j.Close() // it may still begin
	case err != nil:
		j.Abandon()
	default:
		j.Close()
		return k.PID, nil
	}
	return 0, err
}

// enqueue gives a job its place in its queue, and sees to it that somebody works there.
func enqueue(s *store.Store, j *store.Job, o *order) error {
	err := s.Enqueue(&o.Record)
	if err == nil {
		err = j.Order(&o.Record, o.Call)
	}
	if err == nil {
		err = s.Settle(&o.Record)
	}
	if err != nil {
		s.Dequeue(&o.Record)
		j.Abandon()
		return err
	}
	j.Close()
	_ = kick(s, &o.Record) // it is ordered. If nobody could be started, whoever asks for it next tries again
	return nil
}

// kick sees to it that somebody works on a job's queue.
func kick(s *store.Store, r *store.Record) error {
	if r.Program != registry.Fingerprint() {
		return nil // it waits for the program that ordered it
	}
	return keeper.Kick(s, r.Queue, r.Slots, !r.After.After(time.Now()))
}

// again is for an order that came before: because nobody heard of its fate, for instance.
func again(s *store.Store, r *store.Record) (pid int, err error) {
	j, err := s.Find(r.ID)
	if errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("job %s: %w", r.ID, store.ErrOrdering)
	}
	if err != nil {
		return 0, err
	}
	st, err := j.Status()
	if err == nil && st.Func != r.Func {
		err = fmt.Errorf("job %s: it runs %s, not %s", r.ID, st.Func, r.Func)
	}
	if err == nil && st.Phase == store.Lost && st.Keeper.PID == 0 { // ordered, but who did that was gone before it began
		var claimed bool
		if claimed, err = j.Claim(); claimed {
			return run(j, func() error { return nil })
		}
	}
	defer j.Close()
	if err != nil {
		return 0, err
	}
	if st.Queue != "" && st.Phase == store.Waiting {
		if err = s.Enqueue(&st.Record); err != nil { // its place may be gone
			return 0, err
		}
		err = kick(s, &st.Record)
	}
	return st.Keeper.PID, err
}

// settings notes what the worker was told about the function's surroundings: the job gets the same.
func settings(r *store.Record) (err error) {
	if r.Dir, err = os.Getwd(); err != nil {
		return fmt.Errorf("job: the directory of the worker: %w", err)
	}
	if r.Umask, err = umask(); err != nil {
		return err
	}
	if r.Nice, err = store.Niceness(); err != nil {
		return fmt.Errorf("job: priority: %w", err)
	}
	r.Env = nil
	for _, entry := range os.Environ() {
		if transport.CheckEnv(entry) == nil {
			r.Env = append(r.Env, entry)
		}
	}
	return nil
}

// umask reads this process's: the system call would change it for a moment, and for all threads.
func umask() (int, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("job: umask: %w", err)
	}
	for line := range strings.Lines(string(status)) {
		if text, ok := strings.CutPrefix(line, "Umask:"); ok {
			mask, err := strconv.ParseInt(strings.TrimSpace(text), 8, 32)
			return int(mask), err
		}
	}
	return 0o077, nil
}
