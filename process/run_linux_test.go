package process_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/process"
)

// TestRun: the streams of a program that runs to its end, whoever copies them.
func TestRun(t *testing.T) {
	for _, c := range []struct {
		script    string
		in        string // given to stdin, if there is any: then it is not done by one goroutine
		merge     bool
		out, errs string
		code      int
	}{
		{script: "exit 7", code: 7},
		{script: "echo out; echo err >&2; kill -9 $$", out: "out\n", errs: "err\n", code: -1},
		{script: "echo out; echo err >&2", merge: true, out: "out\nerr\n"},
		{script: "cat; readlink /proc/self/fd/0", out: "/dev/null\n"},
		{script: "cat", in: "text", out: "text"},
		{script: "head -c 300000 /dev/zero | tr '\\0' e >&2; head -c 300000 /dev/zero | tr '\\0' o",
			out: strings.Repeat("o", 300000), errs: strings.Repeat("e", 300000)},
		{script: "exec >&-; echo err >&2", errs: "err\n"},
	} {
		var out, errs bytes.Buffer
		streams := process.Stdio{Stdout: &out, Stderr: &errs}
		if c.merge {
			streams.Stderr = &out
		}
		if c.in != "" {
			streams.Stdin = strings.NewReader(c.in)
		}
		s, err := process.Run(t.Context(), sh(c.script), streams)
		if err != nil || s.Code != c.code || s.PID <= 0 || s.Ended.IsZero() || out.String() != c.out || errs.String() != c.errs {
			t.Errorf("%s: %+v, %v, %d and %d bytes", c.script, s, err, out.Len(), errs.Len())
		}
	}
	if s, err := process.Run(t.Context(), process.Config{Argv: []string{"/no/such/program"}}, process.Stdio{}); !errors.Is(err, os.ErrNotExist) || s.Code != -1 {
		t.Errorf("%+v, %v", s, err)
	}
}

// refusing is a writer that takes nothing.
type refusing struct{ err error }

func (w refusing) Write([]byte) (int, error) { return 0, w.err }

// TestRunWriterFails: the program is told by SIGPIPE, and the caller by the error.
func TestRunWriterFails(t *testing.T) {
	full := errors.New("full")
	s, err := process.Run(t.Context(), sh("while echo x; do :; done"), process.Stdio{Stdout: refusing{full}})
	if !errors.Is(err, full) || s.PID <= 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestRunGroup: what a program left in its group ends with it, and does not keep its output open.
func TestRunGroup(t *testing.T) {
	var out bytes.Buffer
	if s, err := process.Run(t.Context(), sh("sleep 1000 & echo $!"), process.Stdio{Stdout: &out}); err != nil || s.Code != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	for syscall.Kill(pid, 0) == nil && !zombie(pid) { // it was killed, and is reaped by whoever is its parent now
	}
}

func zombie(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err != nil || bytes.Contains(stat, []byte(") Z "))
}

// cancelling cancels when the program has begun.
type cancelling struct{ cancel context.CancelFunc }

func (w cancelling) Write(p []byte) (int, error) {
	w.cancel()
	return len(p), nil
}

// TestRunCancelled: a program whose context ends is killed, with what it started, in whatever session.
func TestRunCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s, err := process.Run(ctx, sh("setsid sh -c 'echo; sleep 1000' & wait"), process.Stdio{Stdout: cancelling{cancel}})
	if !errors.Is(err, context.Canceled) || s.Signal != "SIGKILL" {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := process.Run(ctx, sh("echo"), process.Stdio{}); !errors.Is(err, context.Canceled) || s.PID != 0 {
		t.Errorf("begun after the end: %+v, %v", s, err)
	}
}

// TestRunHeld: who has left the program, and has its output, holds up nobody who does not wait any more.
func TestRunHeld(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	out := newText()
	c := sh("mkfifo up; setsid sh -c 'first=$PPID; echo >up; while [ $(cut -d \" \" -f 4 /proc/$$/stat) = $first ]; do :; done; echo $$; exec sleep 1000' & read x <up; exit 3")
	c.Dir = t.TempDir()
	s, err := process.Run(ctx, c, process.Stdio{Stdout: io.MultiWriter(out, cancelling{cancel})})
	if !errors.Is(err, context.Canceled) || s.Code != 3 {
		t.Errorf("%+v, %v", s, err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(out.String()))
	if err != nil {
		t.Fatal(err)
	}
	_ = syscall.Kill(pid, syscall.SIGKILL)
}
