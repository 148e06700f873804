package process

import (
	"cmp"
	"context"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// runAlone runs a process in this goroutine, if ok: it reads what the process prints, and hears its end.
func (p *Process) runAlone(ctx context.Context) (s State, err error, ok bool) { //nolint:revive // ok is about both
	if !p.alone() {
		return s, nil, false
	}
	l := lookouts.Get().(*lookout)
	if l.file == nil {
		return s, nil, false
	}
	s, err = p.run(ctx, l)
	if l.sound {
		lookouts.Put(l)
	} else {
		l.file.Close()
	}
	return s, err, true
}

// alone reports whether stdout and stderr are all that there is, and are to be copied.
func (p *Process) alone() bool {
	c, s := &p.cfg, &p.stdio
	for _, w := range []io.Writer{s.Stdout, s.Stderr} {
		if _, file := w.(*os.File); file {
			return false
		}
	}
	return s.Stdin == nil && !c.Input && !c.Detach && c.WaitDelay == 0 && len(c.Outputs)+len(c.Streams)+len(s.Files) == 0 && handles()
}

// handles reports whether processes have descriptors here.
var handles = sync.OnceValue(func() bool {
	p, err := os.FindProcess(os.Getpid())
	return err == nil && p.WithHandle(func(uintptr) {}) == nil
})

func (p *Process) run(ctx context.Context, l *lookout) (State, error) {
	none := State{Code: -1}
	if err := ctx.Err(); err != nil {
		return none, err
	}
	files, taps, err := p.taps()
	defer closeTaps(taps)
	if err != nil {
		return none, err
	}
	ch, err := spawn(p.cfg, files, noTerminal())
	for i := range taps {
		taps[i].theirs.Close()
	}
	if err != nil {
		return none, err
	}
	killed := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(killed)
		ch.kill()
		_ = l.file.SetReadDeadline(time.Now().Add(heldPatience))
	})
	s, err := l.watch(ch, taps)
	if !stop() {
		<-killed
		_ = l.file.SetReadDeadline(time.Time{})
		err = cmp.Or(err, ctx.Err())
	}
	return s, err
}

// noTerminal reports whether this process's session has no terminal, which a program of its own group could not use as it
// likes. Then it needs no session of its own: Linux schedules each of these as a group, and to make and remove that group
// takes longer than the rest of the start.
func noTerminal() bool {
	fd, err := unix.Open("/dev/tty", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err == nil {
		_ = unix.Close(fd)
	}
	return err == unix.ENXIO
}

// A tap is a pipe from which what a process prints goes to a writer.
type tap struct {
	fd     int // -1 when it is closed
	theirs *os.File
	to     io.Writer
}

// taps makes the descriptors of the process, and what reads from them.
func (p *Process) taps() (files []*os.File, taps []tap, err error) {
	none, err := null()
	if err != nil {
		return nil, nil, err
	}
	files = []*os.File{none, none, none}
	outs := [...]io.Writer{1: p.stdio.Stdout, 2: p.stdio.Stderr}
	for i, w := range outs {
		switch {
		case w == nil:
		case i == 2 && outs[1] != nil && same(outs[1], w):
			files[2] = files[1]
		default:
			t, err := newTap(w)
			if err != nil {
				return nil, taps, err
			}
			files[i], taps = t.theirs, append(taps, t)
		}
	}
	return files, taps, nil
}

func newTap(w io.Writer) (tap, error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return tap{}, os.NewSyscallError("pipe2", err)
	}
	return tap{fd: fds[0], theirs: os.NewFile(uintptr(fds[1]), "pipe"), to: w}, nil
}

// move takes what there is; false at the end, and when the writer takes no more. It is called when there is something.
func (t *tap) move(buf []byte) (more bool, err error) {
	n, err := unix.Read(t.fd, buf)
	switch {
	case err == unix.EINTR:
		return true, nil
	case err != nil:
		return false, os.NewSyscallError("read", err)
	case n == 0:
		return false, nil
	}
	_, err = t.to.Write(buf[:n])
	return err == nil, err
}

func (t *tap) close() {
	if t.fd >= 0 {
		_ = unix.Close(t.fd)
		t.fd = -1
	}
}

func closeTaps(taps []tap) {
	for i := range taps {
		taps[i].theirs.Close()
		taps[i].close()
	}
}
