package child

import (
	"context"
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// linger is how long the streams of a process that has ended may stay open, because something that it started has them,
// before it counts as closed. They are emptied, into nothing, until the process is forgotten; then they are closed, and who
// still prints gets SIGPIPE.
const linger = 5 * time.Second

// fullWait is how long a process that would rather wait than lose output does so before the disk is tried again.
const fullWait = 100 * time.Millisecond

// drain takes what comes from a stream, until its end.
func (p *process) drain(from source, pipe *os.File) {
	defer p.table.work.Done()
	p.roll(from, pipe)
	p.mu.Lock()
	p.streams--
	p.settle()
	p.changed()
	p.mu.Unlock()
	for { // what nobody wants
		if n, err := empty(pipe, mostAtOnce); err != nil || n == 0 {
			return
		}
	}
}

// roll records a stream, until it ends or nobody wants it any more.
func (p *process) roll(from source, pipe *os.File) {
	if !brings(pipe) { // most that print nothing need no files
		return
	}
	for {
		file, off, err := p.room(from)
		if file == nil && err == nil {
			return
		}
		var n int64
		if err == nil {
			n, err = move(pipe, file, off, mostAtOnce)
		}
		switch {
		case err == nil && n == 0, errors.Is(err, os.ErrClosed):
			return
		case err == nil:
			p.came(from, n)
		case !p.overlook(from, pipe, err):
			return
		}
	}
}

func (p *process) came(from source, n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted() {
		p.tape.came(from, n, time.Now())
		p.changed()
	}
}

// wanted reports whether output is still recorded. The caller has the lock.
func (p *process) wanted() bool { return p.tape != nil && !p.removed && !p.gone && !p.late }

// room is where to record a stream; nothing, if nobody wants it. It waits while a process may not print more.
func (p *process) room(from source) (*os.File, int64, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.wanted() && p.tape.full() && !p.table.closing.Load() {
		p.waiting.Add(1)
		p.space.Wait()
		p.waiting.Add(-1)
	}
	if !p.wanted() {
		return nil, 0, nil
	}
	return p.tape.ready(from)
}

// overlook has a process go on though its output cannot be recorded: what is in the pipe now is dropped, and counted. One
// that would rather wait does, and so does what could be recorded if only there were descriptors or memory: the pipe keeps
// it. The result is false when the stream has ended.
func (p *process) overlook(from source, pipe *os.File, err error) bool {
	if errors.Is(err, syscall.EBADF) && p.reopen(from) {
		return true
	}
	waits := p.spec.Overflow == Block || isScarce(err)
	p.table.complain(p.spec.Name, waits, err)
	if waits {
		p.waiting.Add(1)
		defer p.waiting.Add(-1)
		select {
		case <-time.After(fullWait):
			return !p.table.closing.Load()
		case <-p.over:
			return false
		}
	}
	n, err := empty(pipe, mostAtOnce)
	p.mu.Lock()
	if p.wanted() {
		p.tape.skip(n)
		p.changed()
	}
	p.mu.Unlock()
	return err == nil && n > 0 && brings(pipe) // what comes later is tried when it is there
}

// reopen opens the file of a stream again that could only be read.
func (p *process) reopen(from source) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.wanted() && p.tape.reopen(from) == nil
}

// isScarce reports whether there is too little of something that is not the disk.
func isScarce(err error) bool {
	for _, e := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// send writes to the process's stdin, all of it, unless the context ends before.
func (p *process) send(ctx context.Context, data []byte, until time.Time) error {
	p.mu.Lock()
	stdin := p.stdin
	p.mu.Unlock()
	if stdin == nil {
		return kernel.Errorf(kernel.Usage, "process %s: its stdin is empty; make it with stdin=PIPE", p.spec.Name)
	}
	defer context.AfterFunc(ctx, func() { _ = stdin.SetWriteDeadline(time.Now()) })()
	for n := 0; ; {
		_ = stdin.SetWriteDeadline(until)
		err := context.Cause(ctx)
		if err == nil {
			var more int
			more, err = stdin.Write(data[n:])
			n += more
		}
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return kernel.Errorf(kernel.Unavailable, "process %s took %d of %d bytes when the kernel was to end or to become another program", p.spec.Name, n, len(data))
		case errors.Is(err, os.ErrDeadlineExceeded) && time.Now().Before(until): // it was somebody else's who sends
		default:
			return kernel.Errorf(kernel.Unavailable, "process %s took %d of %d bytes: %v", p.spec.Name, n, len(data), errors.Unwrap(err))
		}
	}
}
