package child

import (
	"context"
	"errors"
	"os"
	"slices"
	"sync"
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

// A flow is how the streams of a process are emptied: in the order in which something came, by one goroutine while there is
// something in them, and by none while there is not.
type flow struct {
	mu    sync.Mutex // guards what follows
	queue []source   // in which there may be something
	busy  bool       // somebody empties them, or they are not yet to be emptied
	dry   [sources]bool

	over [sources]bool // nothing more of it is recorded; for who is busy
}

// stir says that something has come, or that nothing more comes.
func (p *process) stir(from source, some bool) {
	f := &p.flow
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.dry[from]:
	case !some && !f.busy && !f.over[from]: // of most that print nothing that is all there is
		f.dry[from] = true
		p.streamOver(from)
	default:
		f.add(from)
		if !f.busy {
			f.busy = true
			p.table.work.Go(p.drain)
		}
	}
}

// flowOn has the streams emptied from now on.
func (p *process) flowOn() {
	f := &p.flow
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy = len(f.queue) > 0; f.busy {
		p.table.work.Go(p.drain)
	}
}

// add queues a stream. The caller has the lock.
func (f *flow) add(from source) {
	if !slices.Contains(f.queue, from) {
		f.queue = append(f.queue, from)
	}
}

// next is the stream to look into; ok is false when there is none, and nobody is busy any more.
func (f *flow) next() (from source, ok bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.busy = len(f.queue) > 0; !f.busy {
		return 0, false
	}
	from = f.queue[0]
	f.queue = slices.Delete(f.queue, 0, 1)
	return from, true
}

// What there is in a stream after one piece of it was taken.
type rest int

const (
	some  rest = iota // maybe something
	none              // nothing now
	ended             // nothing more, or nothing that anybody wants
)

// drain takes what there is in the streams, piece by piece, so that none waits for another.
func (p *process) drain() {
	f := &p.flow
	for from, ok := f.next(); ok; from, ok = f.next() {
		var left rest
		switch pipe := p.pipes[from]; {
		case f.over[from]:
			left = discard(pipe)
		default:
			if left = p.roll(from, pipe); left == ended {
				p.streamOver(from)
				left = some // for nobody
			}
		}
		f.mu.Lock()
		switch left {
		case some:
			f.add(from)
		case ended:
			f.dry[from] = true
		}
		f.mu.Unlock()
	}
}

// discard drops a piece of a stream that nobody wants.
func discard(pipe *os.File) rest {
	n, err := empty(pipe, mostAtOnce)
	switch {
	case err == nil && n > 0:
		return some
	case errors.Is(err, syscall.EAGAIN):
		return none
	}
	return ended
}

// streamOver says that a stream has ended, or is as good as that.
func (p *process) streamOver(from source) {
	p.flow.over[from] = true
	p.mu.Lock()
	defer p.mu.Unlock()
	p.streams--
	p.settle()
	p.changed()
}

// roll records a piece of a stream.
func (p *process) roll(from source, pipe *os.File) rest {
	file, off, err := p.room(from)
	if file == nil && err == nil {
		return ended
	}
	var n int64
	if err == nil {
		n, err = move(pipe, file, off, mostAtOnce)
	}
	switch {
	case err == nil && n == 0, errors.Is(err, os.ErrClosed):
		return ended
	case errors.Is(err, syscall.EAGAIN):
		return none
	case err == nil:
		p.came(from, n)
		return some
	}
	return p.overlook(from, pipe, err)
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
// that would rather wait does, and so does what could be recorded if only there were descriptors or memory: the pipe keeps it.
func (p *process) overlook(from source, pipe *os.File, err error) rest {
	if errors.Is(err, syscall.EBADF) && p.reopen(from) {
		return some
	}
	waits := p.spec.Overflow == Block || isScarce(err)
	p.table.complain(p.spec.Name, waits, err)
	if waits {
		p.waiting.Add(1)
		defer p.waiting.Add(-1)
		select {
		case <-time.After(fullWait):
			if !p.table.closing.Load() {
				return some
			}
		case <-p.over:
		}
		return ended
	}
	n, err := empty(pipe, mostAtOnce)
	switch {
	case errors.Is(err, syscall.EAGAIN):
		return none // what comes later is tried when it is there
	case err != nil || n == 0:
		return ended
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.wanted() {
		p.tape.skip(n)
		p.changed()
	}
	return some
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
