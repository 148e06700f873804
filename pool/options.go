package pool

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Options are how many workers a pool has, and what they are. The zero value of every field is its default; only Via is
// needed.
type Options struct {
	// Via starts the workers: transport.Self{} for processes of this machine and user.
	Via transport.Transport

	// Session is all else about workers: where they print, their environment, who is asked for passwords. Its Via,
	// Concurrent, MaxCalls, Idle and Lifetime are not used: the pool's own fields say what they would.
	Session session.Options

	Size int // the most workers that there are at once; 0: 10
	Min  int // how many are kept ready, started by Open; 0: 1; -1: none, they start when they are needed

	Concurrency       int           // calls that a worker runs at once; 0: 1
	MaxTasksPerWorker int           // after so many calls or sessions a worker is replaced, against leaks; 0: 100; -1: never
	MaxCalls          int64         // after so many calls the pool takes no more, see [ErrSpent]; 0: no limit
	TaskTimeout       time.Duration // how long a call may take; then it is cancelled, and a worker that hangs replaced; 0: no limit
	IdleTimeout       time.Duration // after so long without a call a worker above Min ends; 0: 1 minute; below 0: never

	Queue int           // calls that may wait for a worker; more get a [*FullError]; 0: 1024; -1: none may wait
	Drain time.Duration // how long Close waits for the calls that run; 0: 10s; below 0: not at all

	// Log gets a record when a worker starts, cannot be started, or is replaced, and why. Nil: slog.Default.
	Log *slog.Logger
}

const (
	defaultSize  = 10
	defaultTasks = 100
	defaultQueue = 1024
	defaultIdle  = time.Minute
	defaultDrain = 10 * time.Second

	maxSize        = 1 << 12
	maxConcurrency = 1 << 16
)

// filled returns the options with their defaults; it refuses what cannot be.
func (o Options) filled() (Options, error) {
	if o.Via == nil {
		return o, errors.New("pool: field Via: it is missing; transport.Self{} starts workers as this user on this machine")
	}
	for _, f := range []struct {
		name         string
		value, least int64
	}{
		{"Size", int64(o.Size), 0}, {"Min", int64(o.Min), -1}, {"Concurrency", int64(o.Concurrency), 0},
		{"MaxTasksPerWorker", int64(o.MaxTasksPerWorker), -1}, {"MaxCalls", o.MaxCalls, 0},
		{"TaskTimeout", int64(o.TaskTimeout), 0}, {"Queue", int64(o.Queue), -1},
	} {
		if f.value < f.least {
			return o, fmt.Errorf("pool: field %s %d: it must not be below %d", f.name, f.value, f.least)
		}
	}
	o.Size, o.Concurrency = or(o.Size, defaultSize), or(o.Concurrency, 1)
	o.MaxTasksPerWorker, o.Queue = or(o.MaxTasksPerWorker, defaultTasks), or(o.Queue, defaultQueue)
	o.IdleTimeout, o.Drain = or(o.IdleTimeout, defaultIdle), or(o.Drain, defaultDrain)
	o.Min = max(or(o.Min, 1), 0)
	switch {
	case o.Size > maxSize:
		return o, fmt.Errorf("pool: field Size %d: it must not be above %d", o.Size, maxSize)
	case o.Concurrency > maxConcurrency:
		return o, fmt.Errorf("pool: field Concurrency %d: it must not be above %d", o.Concurrency, maxConcurrency)
	case o.Min > o.Size:
		return o, fmt.Errorf("pool: field Min %d: it is above Size, which is %d", o.Min, o.Size)
	}
	if o.Log == nil {
		o.Log = slog.Default()
	}
	return o, nil
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// worker are the options of a worker's session.
func (o *Options) worker() session.Options {
	s := o.Session
	s.Via, s.Concurrent, s.MaxCalls, s.Idle, s.Lifetime = o.Via, 0, 0, 0, 0
	return s
}
