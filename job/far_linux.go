package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/job/keeper"
	"github.com/seed354a1416/deliveryboy/job/spool"
	"github.com/seed354a1416/deliveryboy/job/store"
	"github.com/seed354a1416/deliveryboy/transport"
)

// lookAgain is how often somebody looks at a job that nobody keeps, and who therefore cannot push: it waits for its turn.
const lookAgain = 100 * time.Millisecond

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
	r.Submitted = time.Now()
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
	if err != nil {
		j.Abandon()
		return 0, err
	}
	j.Close()
	return k.PID, nil
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
	return keeper.Kick(s, o.Record.Queue, o.Record.Slots)
}

// again is for an order that came before: because nobody heard of its fate, for instance.
func again(s *store.Store, r *store.Record) (pid int, err error) {
	j, err := s.Find(r.ID)
	if errors.Is(err, store.ErrNotFound) {
		return 0, fmt.Errorf("job %s: it is being ordered at this moment: try again", r.ID)
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
		err = keeper.Kick(s, st.Queue, st.Slots)
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
	if prio, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0); err == nil {
		r.Nice = max(20-prio, 0) // the system call counts from 40 down
	}
	r.Env = nil
	for _, entry := range os.Environ() {
		if !usual(entry) && transport.CheckEnv(entry) == nil {
			r.Env = append(r.Env, entry)
		}
	}
	return nil
}

// usual are the variables that every worker has: its own, not those of the one that started the job.
func usual(entry string) bool {
	name, _, _ := strings.Cut(entry, "=")
	switch name {
	case "PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TERM":
		return true
	}
	return strings.HasPrefix(name, "LC_")
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

// find opens a job of this user; release it with the function.
func find(id string) (*store.Store, *store.Job, func(), error) {
	s, err := store.Open()
	if err != nil {
		return nil, nil, nil, err
	}
	j, err := s.Find(id)
	if err != nil {
		s.Close()
		return nil, nil, nil, err
	}
	return s, j, func() { j.Close(); s.Close() }, nil
}

func statusHere(_ context.Context, id string) (Info, error) {
	_, j, release, err := find(id)
	if err != nil {
		return Info{}, err
	}
	defer release()
	st, err := j.Status()
	if err != nil {
		return Info{}, err
	}
	return infoOf(st), nil
}

func waitHere(ctx context.Context, id string) (ended, error) {
	s, j, release, err := find(id)
	if err != nil {
		return ended{}, err
	}
	defer release()
	st, err := watch(ctx, s, j, func() error { return nil })
	if err != nil {
		return ended{}, err
	}
	e := ended{Info: infoOf(st)}
	if st.Result != nil {
		e.Fault = st.Result.Fault
		_, e.Reply, err = j.Result()
	}
	return e, err
}

// watch calls look whenever there may be something new, until the job has ended or is lost, and once after that.
func watch(ctx context.Context, s *store.Store, j *store.Job, look func() error) (*store.Status, error) {
	for {
		st, err := j.Status()
		if err != nil {
			return nil, err
		}
		if st.Phase == store.Ended || st.Phase == store.Lost {
			return st, look()
		}
		if st.Queue != "" && st.Phase == store.Waiting { // whoever should work there may be gone
			if err := keeper.Kick(s, st.Queue, st.Slots); err != nil {
				return nil, err
			}
		}
		err = keeper.Follow(ctx, j, look)
		if errors.Is(err, keeper.ErrAway) {
			select {
			case <-time.After(lookAgain):
				err = nil
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

func followHere(ctx context.Context, id string, from spool.Offset, follow bool, to chan<- spool.Piece) error {
	s, j, release, err := find(id)
	if err != nil {
		return err
	}
	defer release()
	r := spool.NewReader(j.Dir, from)
	defer r.Close()
	look := func() error { return pour(ctx, r, to) }
	if !follow {
		return look()
	}
	st, err := watch(ctx, s, j, look)
	if err == nil && st.Result != nil && r.At().Pos < st.Result.Output.Pos {
		err = fmt.Errorf("job %s: %w: its output ends at %d, not at %d", id, store.ErrDamaged, r.At().Pos, st.Result.Output.Pos)
	}
	return err
}

// pour passes on what there is.
func pour(ctx context.Context, r *spool.Reader, to chan<- spool.Piece) error {
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case to <- p:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func orderHere(ctx context.Context, id, what string) (answer, error) {
	s, j, release, err := find(id)
	if err != nil {
		return answer{}, err
	}
	defer release()
	a, err := keeper.Ask(ctx, j, what)
	if errors.Is(err, keeper.ErrAway) {
		return away(s, j, what)
	}
	if err != nil {
		return answer{}, err
	}
	got := answer{Dump: a.Dump}
	if a.Stats != nil {
		got.Stats = Stats(*a.Stats)
	}
	return got, nil
}

// away carries out an order for a job that nobody keeps: of one that waits, cancelling takes its place in the queue.
func away(s *store.Store, j *store.Job, what string) (answer, error) {
	st, err := j.Status()
	if err != nil {
		return answer{}, err
	}
	if what == "stats" {
		return answer{}, nil
	}
	if what != "cancel" || st.Phase != store.Waiting || st.Queue == "" {
		return answer{}, fmt.Errorf("job %s: %w: it is %s", j.ID, ErrNotRunning, st.Phase)
	}
	claimed, err := j.Claim()
	if err != nil {
		return answer{}, err
	}
	if !claimed {
		return answer{}, fmt.Errorf("job %s: %w: it begins just now: try again", j.ID, ErrNotRunning)
	}
	s.Dequeue(&st.Record)
	return answer{}, keeper.Drop(j)
}

func listHere(ctx context.Context) ([]Info, error) {
	s, err := store.Open()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var list []Info
	err = s.Jobs(func(j *store.Job, err error) bool {
		var st *store.Status
		if err == nil {
			st, err = j.Status()
			j.Close()
		}
		switch {
		case err == nil && !st.Expired(time.Now()):
			list = append(list, infoOf(st))
		case err == nil || errors.Is(err, store.ErrNotFound):
		default:
			list = append(list, Info{ID: idIn(err), Phase: Damaged, Error: err.Error()})
		}
		return ctx.Err() == nil
	})
	return list, err
}

// idIn is the identifier in the error about a job.
func idIn(err error) string {
	text, ok := strings.CutPrefix(err.Error(), "job ")
	if id, _, found := strings.Cut(text, ":"); ok && found && store.CheckID(id) == nil {
		return id
	}
	return ""
}

func freeHere(ctx context.Context, id string, force bool) error {
	s, j, release, err := find(id)
	if err != nil {
		return err
	}
	defer release()
	st, err := j.Status()
	if err != nil {
		if errors.Is(err, store.ErrDamaged) && force {
			return j.Remove()
		}
		return err
	}
	switch {
	case st.Phase == store.Ended || st.Phase == store.Lost:
		return j.Remove()
	case !force:
		return fmt.Errorf("job %s: %w", id, ErrNotEnded)
	}
	if err := j.Forget(); err != nil {
		return err
	}
	// If it has ended meanwhile, whoever kept it did not see that.
	if st, err = j.Status(); err == nil && (st.Phase == store.Ended || st.Phase == store.Lost) {
		err = j.Remove()
	} else if err == nil && st.Phase == store.Waiting && st.Queue != "" {
		if claimed, failed := j.Claim(); failed == nil && claimed {
			s.Dequeue(&st.Record)
			err = j.Remove()
		}
	}
	if errors.Is(err, store.ErrNotFound) || ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
