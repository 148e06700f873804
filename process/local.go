package process

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

var errWaitDelay = exec.ErrWaitDelay

// A local is the body of a process of this machine.
type local struct {
	*child
	p *Process

	files   []*os.File         // the child's descriptors
	ours    []*os.File         // those of files that are closed here once it has them
	inputs  map[string]*input  // by label, with stdinLabel
	ends    []*os.File         // this process's ends of pipes and sockets
	outlets []*outlet          // those of them that are read
	heard   map[string]*outlet // of stdout and stderr, by name
	killed  chan struct{}      // closed when all of it was killed
	once    sync.Once          // of that
	copies  []func() error     // that end when the child's ends are closed
	feed    func()             // copies to stdin; may be nil
}

// An input is what can be written to.
type input struct {
	mu   sync.Mutex // one writer at a time
	file *os.File
	half func() error // ends writing
}

// startLocal starts a process here.
func startLocal(p *Process) error {
	l := &local{p: p, inputs: map[string]*input{}, heard: map[string]*outlet{}, killed: make(chan struct{})}
	err := l.connect()
	if err == nil {
		l.child, err = spawn(p.cfg, l.files, false)
	}
	closeAll(l.ours)
	if err != nil {
		closeAll(l.ends)
		return err
	}
	p.runs(l)
	p.stopped.Go(l.see)
	return nil
}

// see sees to a process until it has ended.
func (l *local) see() {
	fed := make(chan struct{})
	if l.feed != nil {
		go func() {
			defer close(fed)
			l.feed()
		}()
	} else {
		close(fed)
	}
	copied := make(chan error, 1)
	if len(l.copies) > 0 {
		go func() { copied <- l.copy() }()
	} else {
		copied <- nil
	}
	state, err := l.child.wait(l.p.far, func() error { return l.await(fed, copied) })
	closeAll(l.ends)
	if err == nil {
		err = l.p.takeInputError()
	}
	l.p.finish(state, err)
}

// copy runs all copies, and returns the first error.
func (l *local) copy() error {
	errs := make(chan error, len(l.copies))
	for _, c := range l.copies {
		go func() { errs <- c() }()
	}
	var first error
	for range l.copies {
		if err := <-errs; first == nil {
			first = err
		}
	}
	return first
}

// heldPatience is how long outputs may stay open after all of a process was killed, and its group is gone: others have them
// then, which have left it. It is less than the second that the end of a call may take.
const heldPatience = 200 * time.Millisecond

// await waits for the copies when the process has ended, within WaitDelay, and within heldPatience if it was killed. What is
// to be read on a caller's side may hang: then nobody waits for it, as the process has no more use for it.
func (l *local) await(fed chan struct{}, copied chan error) error {
	var late, held <-chan time.Time
	if d := time.Duration(l.p.cfg.WaitDelay); d > 0 {
		t := time.NewTimer(d)
		defer t.Stop()
		late = t.C
	}
	var err error
	var tries int
	for killed := l.killed; copied != nil || fed != nil && !l.p.far; {
		select {
		case err = <-copied:
			copied = nil
		case <-fed:
			fed = nil
		case <-killed:
			killed = nil
			t := time.NewTicker(heldPatience)
			defer t.Stop()
			held, tries = t.C, 5
		case <-held:
			if tries--; tries > 0 && groupLives(l.pid()) {
				continue // it is still dying
			}
			fed, held = nil, nil
			for _, o := range l.outlets {
				o.giveUp()
			}
		case <-late:
			closeAll(l.ends)
			if copied != nil {
				<-copied //nolint:errcheck // of closing them
			}
			return cmp.Or(err, errWaitDelay)
		}
	}
	return err
}

func (l *local) pid() int     { return l.proc.Pid }
func (l *local) path() string { return l.child.path }

func (l *local) signal(_ context.Context, sig syscall.Signal) error { return l.child.signal(sig) }

func (l *local) terminate(_ context.Context, grace time.Duration) error {
	return l.child.terminate(grace)
}

func (l *local) kill(context.Context) error {
	l.child.kill()
	l.once.Do(func() { close(l.killed) })
	return nil
}

func (l *local) write(label string, data []byte) (int, error) {
	in, err := l.input(label)
	if err != nil {
		return 0, err
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	return in.file.Write(data)
}

func (l *local) closeWrite(label string) error {
	in, err := l.input(label)
	if err != nil {
		return err
	}
	return in.half()
}

func (l *local) mute(output string) error {
	o := l.heard[output]
	if o == nil {
		return l.p.cfg.wrong("outputs", fmt.Sprintf("%q is not copied", output))
	}
	o.mute()
	return nil
}

func (l *local) input(label string) (*input, error) {
	in := l.inputs[label]
	if in == nil {
		return nil, l.p.cfg.wrong("input", fmt.Sprintf("%q cannot be written to: set input, or name it in streams", label))
	}
	return in, nil
}
