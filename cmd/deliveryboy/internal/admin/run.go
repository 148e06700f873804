package admin

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

const (
	defaultOutput = 1 << 20
	maxOutput     = 64 << 20
	maxErrorText  = 4 << 10
	killAfter     = process.Duration(5 * time.Second)
)

// RunRequest asks for a program to be run.
type RunRequest struct {
	Argv      []string `json:"argv"`       // the program, found in PATH if it has no slash, and its arguments; no shell
	Dir       string   `json:"dir"`        // where it runs; the worker's directory if empty
	Env       []string `json:"env"`        // NAME=value, added to the worker's environment
	ClearEnv  bool     `json:"clear_env"`  // start from an empty environment
	Stdin     []byte   `json:"stdin"`      // what it reads, any bytes
	StdinText string   `json:"stdin_text"` // what it reads, if it is text
	Capture   bool     `json:"capture"`    // keep the output in the result, rather than pass it on while it comes
	MaxOutput int64    `json:"max_output"` // how much of each stream to keep, in bytes; 1 MiB if 0, at most 64 MiB
}

// RunResult is what a program said, if it was to be captured.
type RunResult struct {
	Stdout        []byte `json:"stdout"`
	Stderr        []byte `json:"stderr"`
	StdoutDropped int64  `json:"stdout_dropped"` // bytes that were over MaxOutput
	StderrDropped int64  `json:"stderr_dropped"`
}

var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// CommandRun runs a program and waits for it. A program that fails gives a *[process.ExitError], with the result
// beside it; its Stderr holds the last 4 KiB if output is captured.
//
// If output is captured and the program leaves others behind that keep it open, the error after 5 seconds is
// exec.ErrWaitDelay, with the result beside it.
//
// When the context ends, the program and its process group get SIGTERM, and after 5 seconds it and all that it started are
// killed; the error is the context's then.
func CommandRun(ctx context.Context, r RunRequest) (RunResult, error) {
	most, err := checkRun(r)
	if err != nil {
		return RunResult{}, err
	}
	stdout, stderr := &kept{most: most}, &kept{most: most}
	io := process.Stdio{Stdin: stdin(r), Stdout: os.Stdout, Stderr: os.Stderr}
	if r.Capture {
		io.Stdout, io.Stderr = stdout, stderr
	}
	err = runToEnd(ctx, configOf(r), io)
	res := RunResult{
		Stdout: stdout.bytes, Stderr: stderr.bytes, StdoutDropped: stdout.dropped, StderrDropped: stderr.dropped,
	}
	if exit := (*process.ExitError)(nil); errors.As(err, &exit) && len(stderr.bytes) > 0 {
		exit.Stderr = stderr.bytes[max(len(stderr.bytes)-maxErrorText, 0):]
	}
	if err != nil {
		return res, fmt.Errorf("command.run: program %s: %w", quote(r.Argv[0]), err)
	}
	return res, nil
}

func checkRun(r RunRequest) (most int64, err error) {
	if len(r.Argv) == 0 || r.Argv[0] == "" {
		return 0, fmt.Errorf("command.run: argv is empty: give a program and its arguments, such as [\"id\", \"-u\"]")
	}
	if len(r.Stdin) > 0 && r.StdinText != "" {
		return 0, fmt.Errorf("command.run: both stdin and stdin_text are given: give one of them")
	}
	for _, arg := range r.Argv {
		if strings.ContainsRune(arg, 0) {
			return 0, fmt.Errorf("command.run: argument %s: it holds a NUL byte: no program can be given one", quote(arg))
		}
	}
	for _, entry := range r.Env {
		name, value, ok := strings.Cut(entry, "=")
		if !ok || !envName.MatchString(name) || strings.ContainsRune(value, 0) {
			return 0, fmt.Errorf("command.run: env %s: not a variable: give NAME=value, the name of letters, digits and \"_\"",
				quote(entry))
		}
	}
	return limit("command.run", "max_output", r.MaxOutput, defaultOutput, maxOutput)
}

// configOf is what to run.
func configOf(r RunRequest) process.Config {
	c := process.Config{Argv: r.Argv, Dir: r.Dir, Env: map[string]string{}, Grace: killAfter, WaitDelay: killAfter}
	if r.ClearEnv {
		c.Inherit = process.None
	}
	for _, entry := range r.Env {
		name, value, _ := strings.Cut(entry, "=")
		c.Env[name] = value
	}
	return c
}

func stdin(r RunRequest) io.Reader {
	switch {
	case len(r.Stdin) > 0:
		return bytes.NewReader(r.Stdin)
	case r.StdinText != "":
		return strings.NewReader(r.StdinText)
	}
	return nil // is /dev/null
}

// runToEnd runs a program, which is stopped if the context ends before it.
func runToEnd(ctx context.Context, c process.Config, s process.Stdio) error {
	p, err := process.Start(c, s)
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // its end has been told then
	state, err := p.Wait(ctx)
	if ctx.Err() != nil {
		if state, err = p.Stop(context.WithoutCancel(ctx)); !state.Success() {
			return ctx.Err()
		}
	}
	if !state.Success() {
		return &process.ExitError{State: &state, Name: c.Argv[0]}
	}
	return err
}

// kept keeps the beginning of what is written to it.
type kept struct {
	bytes   []byte
	most    int64
	dropped int64
}

func (k *kept) Write(p []byte) (int, error) {
	room := min(k.most-int64(len(k.bytes)), int64(len(p)))
	k.bytes = append(k.bytes, p[:room]...)
	k.dropped += int64(len(p)) - room
	return len(p), nil
}
