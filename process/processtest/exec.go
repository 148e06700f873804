package processtest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/process"
)

// A command is what *exec.Cmd and *process.Cmd have in common.
type command interface {
	Start() error
	Wait() error
	Run() error
	Output() ([]byte, error)
	CombinedOutput() ([]byte, error)
	StdinPipe() (io.WriteCloser, error)
	StdoutPipe() (io.ReadCloser, error)
	StderrPipe() (io.ReadCloser, error)
	String() string
}

// fields are those of both; what is nil or zero is left as it is.
type fields struct {
	Path           string
	Args           []string
	Env            []string
	Dir            string
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	ExtraFiles     []*os.File
	Cancel         func() error
	WaitDelay      time.Duration
}

// An end is how a command ended.
type end interface {
	ExitCode() int
	Exited() bool
	Success() bool
	Pid() int
	String() string
}

// A shop makes commands of one kind, and knows them.
type shop interface {
	new(ctx context.Context, f fields, words ...string) command
	end(command) end // nil: it has not ended
	stderr(error) []byte
	signal(command, syscall.Signal) error
}

type original struct{}

func (original) new(ctx context.Context, f fields, words ...string) command {
	c := exec.CommandContext(ctx, words[0], words[1:]...)
	orZero(&c.Path, f.Path)
	c.Args = orNil(c.Args, f.Args)
	orZero(&c.Dir, f.Dir)
	c.Env, c.ExtraFiles, c.WaitDelay = f.Env, f.ExtraFiles, f.WaitDelay
	c.Stdin, c.Stdout, c.Stderr = f.Stdin, f.Stdout, f.Stderr
	if f.Cancel != nil {
		c.Cancel = f.Cancel
	}
	return c
}

func (original) end(c command) end {
	if s := c.(*exec.Cmd).ProcessState; s != nil {
		return s
	}
	return nil
}

func (original) stderr(err error) []byte {
	var e *exec.ExitError
	if errors.As(err, &e) {
		return e.Stderr
	}
	return nil
}

func (original) signal(c command, sig syscall.Signal) error { return c.(*exec.Cmd).Process.Signal(sig) }

type ours struct{ courier box.Courier }

func (o ours) new(ctx context.Context, f fields, words ...string) command {
	c := process.Command(ctx, o.courier, words[0], words[1:]...)
	orZero(&c.Path, f.Path)
	c.Args = orNil(c.Args, f.Args)
	orZero(&c.Dir, f.Dir)
	c.Env, c.ExtraFiles, c.WaitDelay = f.Env, f.ExtraFiles, f.WaitDelay
	c.Stdin, c.Stdout, c.Stderr, c.Cancel = f.Stdin, f.Stdout, f.Stderr, f.Cancel
	return c
}

func (ours) end(c command) end {
	if s := c.(*process.Cmd).ProcessState; s != nil {
		return s
	}
	return nil
}

func (ours) stderr(err error) []byte {
	var e *process.ExitError
	if errors.As(err, &e) {
		return e.Stderr
	}
	return nil
}

func (ours) signal(c command, sig syscall.Signal) error {
	return c.(*process.Cmd).Process.Signal(context.Background(), sig)
}

func orZero(to *string, s string) {
	if s != "" {
		*to = s
	}
}

func orNil(was, s []string) []string {
	if s != nil {
		return s
	}
	return was
}

// A trial does something with commands of a shop, and notes what comes of it.
type trial struct {
	shop
	t    *testing.T
	note strings.Builder
}

func (r *trial) notef(format string, args ...any) { fmt.Fprintf(&r.note, format+"\n", args...) }

// wrong notes what kind of error it is: those of os/exec that are to be known, and the text of how a process ended.
func (r *trial) wrong(what string, err error) {
	var is []string
	for name, target := range map[string]error{
		"not found": exec.ErrNotFound, "dot": exec.ErrDot, "wait delay": exec.ErrWaitDelay, "not there": os.ErrNotExist,
		"forbidden": os.ErrPermission, "closed": os.ErrClosed, "cancelled": context.Canceled, "late": context.DeadlineExceeded,
		"too big": syscall.E2BIG, "no directory": syscall.ENOTDIR, "no program": syscall.ENOEXEC, "short": io.ErrShortWrite,
		"broken": errBroken,
	} {
		if errors.Is(err, target) {
			is = append(is, name)
		}
	}
	slices.Sort(is)
	text := "an error"
	var theirs *exec.ExitError
	var mine *process.ExitError
	switch {
	case err == nil:
		text = "none"
	case errors.As(err, &theirs), errors.As(err, &mine):
		text = err.Error()
	}
	r.notef("%s: %s %q", what, text, is)
}

// ended notes how a command ended.
func (r *trial) ended(c command) {
	s := r.end(c)
	if s == nil {
		r.notef("it has no end")
		return
	}
	r.notef("it ended: %s, code %d, exited %t, well %t, numbered %t", s, s.ExitCode(), s.Exited(), s.Success(), s.Pid() > 0)
}

var errBroken = errors.New("it is broken")

// broken fails after some bytes.
type broken struct{ good int }

func (b *broken) Read(p []byte) (int, error) {
	n := min(b.good, len(p))
	if n == 0 {
		return 0, errBroken
	}
	b.good -= n
	return copy(p, strings.Repeat("r", n)), nil
}

func (b *broken) Write(p []byte) (int, error) {
	n := min(b.good, len(p))
	b.good -= n
	if n < len(p) {
		return n, errBroken
	}
	return n, nil
}

// asExec does everything with os/exec's commands and with those of the place: it has to come to the same.
func asExec(t *testing.T, p Place) {
	if p.Other {
		t.Skip("the programs there are others")
	}
	for _, c := range trials {
		if c.here && p.Courier != nil {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			var notes [2]string
			for i, s := range []shop{original{}, ours{p.Courier}} {
				r := &trial{shop: s, t: t}
				c.try(r)
				notes[i] = r.note.String()
			}
			theirs, mine := strings.Split(notes[0], "\n"), strings.Split(notes[1], "\n")
			for i := range max(len(theirs), len(mine)) {
				if a, b := line(theirs, i), line(mine, i); a != b {
					t.Errorf("line %d: os/exec has %s, and this %s", i+1, a, b)
				}
			}
		})
	}
}

// line is the start of a line, and what stands for all of it.
func line(lines []string, i int) string {
	if i >= len(lines) {
		return "none"
	}
	if l := lines[i]; len(l) > 400 {
		return fmt.Sprintf("%s … (%d bytes, %x)", l[:400], len(l), sha256.Sum256([]byte(l)))
	}
	return lines[i]
}
