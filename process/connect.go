package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
)

func closeAll(files []*os.File) {
	for _, f := range files {
		f.Close()
	}
}

// connect makes the child's descriptors.
func (l *local) connect() error {
	s, c := l.p.stdio, l.p.cfg
	l.files = make([]*os.File, 3, 3+len(c.Streams)+len(s.Files))
	var err error
	if l.files[0], err = l.stdin(s.Stdin, c.Input); err != nil {
		return err
	}
	out, errs := l.sinks()
	if l.files[1], err = l.output(stdoutName, out); err != nil {
		return err
	}
	if errs != nil && same(out, errs) {
		l.files[2] = l.files[1]
	} else if l.files[2], err = l.output(stderrName, errs); err != nil {
		return err
	}
	for _, label := range c.Streams {
		if err := l.stream(label); err != nil {
			return err
		}
	}
	for i, f := range s.Files {
		if f != nil && f.Fd() == ^uintptr(0) {
			return c.wrong("files", fmt.Sprintf("%d, %q, is closed: it cannot be passed on", i, f.Name()), os.ErrClosed)
		}
	}
	for i, name := range []string{stdinLabel, stdoutName, stderrName} {
		if l.files[i].Fd() == ^uintptr(0) { // the program's first file would take its place
			return c.wrong(name, "it is a closed file, or none: it cannot be passed on", os.ErrClosed)
		}
	}
	l.files = append(l.files, s.Files...)
	return nil
}

// sinks are where stdout and stderr go; nil is nowhere.
func (l *local) sinks() (out, errs io.Writer) {
	s, labels := l.p.stdio, l.p.cfg.Outputs
	out, errs = s.Stdout, s.Stderr
	if len(labels) > 0 {
		out = l.p.sink(labels[0])
	}
	if len(labels) > 1 {
		errs = out
		if labels[1] != labels[0] {
			errs = l.p.sink(labels[1])
		}
	}
	return out, errs
}

// same reports whether two writers are one. Those that cannot be compared are two.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }() //nolint:errcheck // of a comparison
	return a == b
}

var nowhere struct {
	sync.Mutex
	file *os.File
}

// null is /dev/null, opened once for all that want it.
func null() (f *os.File, err error) {
	nowhere.Lock()
	defer nowhere.Unlock()
	if nowhere.file == nil {
		nowhere.file, err = os.OpenFile(os.DevNull, os.O_RDWR, 0)
	}
	return nowhere.file, err
}

func (l *local) stdin(r io.Reader, wanted bool) (*os.File, error) {
	if f, ok := r.(*os.File); ok {
		return f, nil
	}
	if r == nil && !wanted {
		return null()
	}
	theirs, mine, err := l.pipe()
	if err != nil {
		return nil, err
	}
	l.ours, l.ends = append(l.ours, theirs), append(l.ends, mine)
	if r == nil {
		l.inputs[stdinLabel] = &input{file: mine, half: mine.Close}
		return theirs, nil
	}
	l.feed = func() {
		_, err := io.Copy(mine, r)
		if err != nil && !errors.Is(err, syscall.EPIPE) && !errors.Is(err, os.ErrClosed) {
			l.p.inputFailed(err) // before the process can see the end
		}
		mine.Close()
	}
	return theirs, nil
}

// The outputs, by name.
const (
	stdoutName = "stdout"
	stderrName = "stderr"
)

func (l *local) output(name string, w io.Writer) (*os.File, error) {
	if f, ok := w.(*os.File); ok {
		return f, nil
	}
	if w == nil {
		return null()
	}
	mine, theirs, err := l.pipe()
	if err != nil {
		return nil, err
	}
	l.ours, l.ends = append(l.ours, theirs), append(l.ends, mine)
	o := newOutlet(mine)
	l.outlets, l.heard[name] = append(l.outlets, o), o
	l.copies = append(l.copies, func() error { return o.copyTo(w) })
	return theirs, nil
}

func (l *local) pipe() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err != nil {
		err = fmt.Errorf("process %q: pipe: %w", l.p.cfg.Name, err)
	}
	return r, w, err
}

// stream makes a two-way stream.
func (l *local) stream(label string) error {
	mine, theirs, err := socketpair(label)
	if err != nil {
		return fmt.Errorf("process %q: stream %q: %w", l.p.cfg.Name, label, err)
	}
	l.files = append(l.files, theirs)
	l.ours, l.ends = append(l.ours, theirs), append(l.ends, mine)
	l.inputs[label] = &input{file: mine, half: func() error { return shutdownWrite(mine) }}
	w, o := l.p.sink(label), newOutlet(mine)
	l.outlets = append(l.outlets, o)
	l.copies = append(l.copies, func() error {
		_, err := io.Copy(w, o)
		if errors.Is(err, syscall.ECONNRESET) { // it has not read all
			err = nil
		}
		return err
	})
	return nil
}

// shutdownWrite ends this side's writing.
func shutdownWrite(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = syscall.Shutdown(int(fd), syscall.SHUT_WR) }); err != nil {
		return err
	}
	return failed
}
