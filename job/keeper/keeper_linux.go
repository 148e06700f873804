// Package keeper is the process that keeps a job: it has the function run in a worker of its own, writes down what it
// prints and what comes of it, and takes orders at a socket in the job's directory.
//
// The keeper is a detached copy of the program. It never runs user code; the worker below it does, behind a guardian, and
// is ended when the keeper is. Who holds the lock of the job is its keeper: a job whose lock is free, and that has no
// result, is lost.
package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/spool"
	"github.com/seed354a1416/deliveryboy/job/store"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Why a job ends before its function does.
var (
	errCancelled = errors.New("the job was cancelled")
	errTimedOut  = fmt.Errorf("the job's time is over: %w", context.DeadlineExceeded)
)

// clockCheck is how often whoever waits for a time of day looks at the clock.
const clockCheck = time.Minute

// maxReply leaves room in a message for what is told beside a reply.
const maxReply = 255 << 20

// tryAgain is how long a full disk is left alone.
const tryAgain = 250 * time.Millisecond

// A keeper keeps one job.
type keeper struct {
	job     *store.Job
	record  *store.Record
	call    [][]byte
	spool   *spool.Writer
	control *control
	cancel  context.CancelCauseFunc
	hooks   hooks
	began   time.Time

	mu     sync.Mutex // guards what follows
	worker *session.Session
	info   *session.Info
	coming chan struct{} // closed when the worker that is being started is there, or will not be; nil if none is
}

// hooks are for whoever has a job kept. Either may be nil.
type hooks struct {
	ready   func() error // nothing can fail any more but the function; with an error it does not run
	started func()       // the job counts as started
}

// keep sees to a job until it has ended. The job's lock is held. With an error nothing has run.
func keep(j *store.Job, h hooks) error {
	k := &keeper{job: j, hooks: h}
	var err error
	if k.record, k.call, err = j.Ordered(); err != nil {
		return err
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	k.cancel = cancel
	if k.control, err = listen(k); err != nil {
		return err
	}
	defer k.control.close()
	if err = spool.Clear(j.Dir); err != nil { // the lock is held, and nothing has run
		return j.Failed(err)
	}
	if k.spool, err = spool.Create(j.Dir, k.record.Output, !k.record.Oldest, k.control.changed); err != nil {
		return j.Failed(err)
	}
	if h.ready != nil {
		if err := h.ready(); err != nil {
			return err
		}
	}
	stop := k.heedSignals()
	defer stop()
	k.finish(k.run(ctx))
	return nil
}

// heedSignals cancels the job when somebody ends the keeper politely.
func (k *keeper) heedSignals() (stop func()) {
	signals, done := make(chan os.Signal, 1), make(chan struct{})
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	var work sync.WaitGroup
	work.Go(func() {
		select {
		case s := <-signals:
			k.cancel(fmt.Errorf("%w: its keeper got the signal %s", errCancelled, s))
		case <-done:
		}
	})
	return func() { signal.Stop(signals); close(done); work.Wait() }
}

// run runs the function as often as was ordered, and returns what came of the last time.
func (k *keeper) run(ctx context.Context) (result *store.Result, reply [][]byte) {
	k.began = time.Now()
	if !k.due() {
		if err := k.job.Keep(&store.Keeper{Process: store.Self()}, true); err != nil {
			return k.broken(err, 0), nil
		}
		for !k.due() { // the clock may be set meanwhile
			if !pause(ctx, min(time.Until(k.record.After), clockCheck)) {
				return k.broken(context.Cause(ctx), 0), nil
			}
		}
	}
	for attempt, rest := 1, k.record.Pause; ; attempt, rest = attempt+1, 2*rest {
		k.began = time.Now()
		if err := k.begin(attempt); err != nil {
			return k.broken(err, attempt), nil
		}
		if attempt == 1 && k.hooks.started != nil {
			k.hooks.started()
		}
		k.control.changed()
		result, reply = k.attempt(ctx, attempt)
		if result.Outcome == store.Returned || result.Outcome == store.Cancelled || attempt >= k.record.Tries || !pause(ctx, rest) {
			return result, reply
		}
	}
}

// begin says, durably, that an attempt begins. Without that the first one does not run, as nobody might know that it has;
// of a further one its number and time are missing then, which is no reason to give up what was ordered.
func (k *keeper) begin(attempt int) error {
	err := k.job.Keep(&store.Keeper{Process: store.Self(), Began: k.began, Attempt: attempt}, attempt < k.record.Tries)
	if attempt > 1 && !k.job.Gone() {
		return nil
	}
	return err
}

// due reports whether the job's time has come.
func (k *keeper) due() bool { return !time.Now().Before(k.record.After) }

// pause waits; it is false if the job was cancelled meanwhile.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// attempt runs the function once.
func (k *keeper) attempt(ctx context.Context, n int) (*store.Result, [][]byte) {
	if k.record.Timeout > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, k.record.Timeout, errTimedOut)
		defer cancel()
	}
	r, err := k.deliver(ctx)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", cause, err)
		}
		return k.broken(err, n), nil
	}
	result := &store.Result{Began: k.began, Ended: time.Now(), Attempts: n, Outcome: outcomeOf(ctx, r)}
	if err := r.Err(); err != nil {
		result.Error = err.Error()
	}
	if f := r.Fault; f != nil {
		result.ExitCode, result.Signal = f.Code, f.Signal
	}
	segments, err := r.Segments()
	if err != nil {
		return k.broken(err, n), nil
	}
	return result, segments
}

// deliver starts a worker and has it run the function.
func (k *keeper) deliver(ctx context.Context) (*box.Reply, error) {
	b, err := box.BoxFromSegments(k.call)
	if err != nil {
		return nil, err
	}
	b.Timeout = k.record.Timeout
	k.starts()
	defer k.works(nil, nil)
	s, err := session.Open(ctx, session.Options{
		Via: transport.Self{}, Only: []string{k.record.Func},
		Dir: k.record.Dir, Env: k.record.Env, Umask: umaskOption(k.record.Umask), Nice: niceness(k.record.Nice), Grace: k.record.Grace,
		MaxReply: maxReply,
		Stdout:   k.spool.Stream(spool.Stdout), Stderr: k.spool.Stream(spool.Stderr),
		Log: slog.NewJSONHandler(k.spool.Stream(spool.Log), &slog.HandlerOptions{Level: slog.Level(-1 << 20)}),
	})
	if err != nil {
		return nil, err
	}
	defer func() {
		k.works(nil, nil)
		defer endOrphans()
		_ = s.Close() // a worker that has to be made to end is no matter of the function's result
	}()
	info, err := s.Info(ctx)
	if err != nil {
		return nil, err
	}
	k.works(s, &info)
	return s.Deliver(ctx, b)
}

// niceness is what a worker has to add to the priority of this process to have that one. Only root may take any off.
func niceness(want int) int {
	own, err := store.Niceness()
	if err != nil || want < own && os.Geteuid() != 0 {
		return 0
	}
	return want - own
}

// umaskOption is an umask as session.Options has it.
func umaskOption(mask int) int {
	if mask == 0 {
		return -1
	}
	return mask
}

// starts notes that there will be a worker in a moment.
func (k *keeper) starts() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.coming = make(chan struct{})
}

// works notes who runs the function; nobody, if s is nil.
func (k *keeper) works(s *session.Session, info *session.Info) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.worker, k.info = s, info
	if k.coming != nil {
		close(k.coming)
		k.coming = nil
	}
}

// arrive waits for a worker that is being started: whoever has just started a job means it.
func (k *keeper) arrive(ctx context.Context) {
	k.mu.Lock()
	coming := k.coming
	k.mu.Unlock()
	if coming != nil {
		select {
		case <-coming:
		case <-ctx.Done():
		}
	}
}

func (k *keeper) working() (*session.Session, *session.Info) {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.worker, k.info
}

func outcomeOf(ctx context.Context, r *box.Reply) store.Outcome {
	cause := context.Cause(ctx)
	switch {
	case r.Refusal != nil:
		return store.Broken
	case r.Fault == nil:
		return store.Returned
	case errors.Is(cause, errCancelled):
		return store.Cancelled
	case errors.Is(cause, errTimedOut):
		return store.TimedOut
	case r.Fault.Kind == box.Returned:
		return store.Failed
	}
	return store.Crashed
}

// broken is the result of a job whose function gave no reply.
func (k *keeper) broken(err error, attempt int) *store.Result {
	outcome := store.Broken
	switch {
	case errors.Is(err, errCancelled):
		outcome = store.Cancelled
	case errors.Is(err, errTimedOut):
		outcome = store.TimedOut
	}
	return &store.Result{
		Began: k.began, Ended: time.Now(), Attempts: attempt, Outcome: outcome,
		Error: err.Error(), Fault: box.EncodeFault(box.FaultOf(err)),
	}
}

// finish writes down how the job ended. On a full disk, output makes room for it; if that does not help, it waits for
// somebody to make some.
func (k *keeper) finish(r *store.Result, reply [][]byte) {
	for {
		r.Output, r.Dropped = k.spool.Close()
		err := k.job.Finish(r, reply)
		if err == nil {
			break
		}
		switch {
		case errors.Is(err, store.ErrUnfit):
			r, reply = k.broken(err, r.Attempts), nil
		case k.job.Gone():
			return // nobody can come for it any more
		case !errors.Is(err, store.ErrFull) || !k.spool.MakeRoom():
			time.Sleep(tryAgain) // no descriptors left, for instance: later there may be
		}
	}
	if k.record.Forget || k.job.Forgotten() {
		_ = k.job.Remove()
	}
}

// isolate keeps what was called out of core files. Unlike a worker, a keeper may be looked at by processes of its user: they
// have to see which program it is, or they would end it, and what it knows is in files of that user too.
//
// Orphans of the function come here if it killed its worker and its guardian at once; see endOrphans.
func isolate() {
	_ = unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
}
