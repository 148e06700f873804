package admin

import (
	"context"
	"errors"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/process"
)

func TestCommandRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	run := func(r RunRequest) RunResult {
		t.Helper()
		r.Capture = true
		res, err := CommandRun(context.Background(), r)
		if err != nil {
			t.Fatal(err)
		}
		return res
	}
	if res := run(RunRequest{Argv: []string{"sh", "-c", "pwd; echo err >&2"}, Dir: dir}); string(res.Stdout) != dir+"\n" ||
		string(res.Stderr) != "err\n" {
		t.Errorf("%q, %q", res.Stdout, res.Stderr)
	}
	if res := run(RunRequest{Argv: []string{"cat"}, Stdin: []byte{0, 255}}); string(res.Stdout) != "\x00\xff" {
		t.Errorf("stdin: %q", res.Stdout)
	}
	if res := run(RunRequest{Argv: []string{"cat"}, StdinText: "text"}); string(res.Stdout) != "text" {
		t.Errorf("stdin_text: %q", res.Stdout)
	}
	if res := run(RunRequest{Argv: []string{"cat"}}); len(res.Stdout) != 0 {
		t.Errorf("no stdin: %q", res.Stdout)
	}
	if res := run(RunRequest{Argv: []string{"env"}, Env: []string{"A=1", "B=", "A=2"}, ClearEnv: true}); !slices.Equal(
		slices.Sorted(strings.Lines(string(res.Stdout))), []string{"A=2\n", "B=\n"}) {
		t.Errorf("env: %q", res.Stdout)
	}
	if res := run(RunRequest{Argv: []string{"echo", "a b", "$HOME", ";"}}); string(res.Stdout) != "a b $HOME ;\n" {
		t.Errorf("there was a shell: %q", res.Stdout)
	}
	res := run(RunRequest{Argv: []string{"head", "-c", "100000", "/dev/zero"}, MaxOutput: 1000})
	if len(res.Stdout) != 1000 || res.StdoutDropped != 99000 {
		t.Errorf("%d bytes kept, %d dropped", len(res.Stdout), res.StdoutDropped)
	}
}

func TestCommandRunFails(t *testing.T) {
	t.Parallel()
	res, err := CommandRun(context.Background(), RunRequest{
		Argv: []string{"sh", "-c", "echo out; echo why >&2; exit 7"}, Capture: true,
	})
	var exit *process.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 || string(exit.Stderr) != "why\n" || string(res.Stdout) != "out\n" {
		t.Errorf("%+v, %v", res, err)
	}
	wantError(t, err, `program "sh"`, "exit status 7")

	_, err = CommandRun(context.Background(), RunRequest{Argv: []string{"no-such-program"}})
	if !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("error %v is not exec.ErrNotFound", err)
	}
	for _, tt := range []struct {
		req  RunRequest
		says string
	}{
		{RunRequest{}, "argv is empty"},
		{RunRequest{Argv: []string{""}}, "argv is empty"},
		{RunRequest{Argv: []string{"a\x00"}}, "NUL"},
		{RunRequest{Argv: []string{"id"}, Env: []string{"A"}}, "NAME=value"},
		{RunRequest{Argv: []string{"id"}, Env: []string{"1A=x"}}, "NAME=value"},
		{RunRequest{Argv: []string{"id"}, Env: []string{"=x"}}, "NAME=value"},
		{RunRequest{Argv: []string{"id"}, Env: []string{"A=\x00"}}, "NAME=value"},
		{RunRequest{Argv: []string{"id"}, Stdin: []byte("a"), StdinText: "b"}, "one of them"},
		{RunRequest{Argv: []string{"id"}, MaxOutput: 1 << 40}, "max_output"},
	} {
		_, err := CommandRun(context.Background(), tt.req)
		wantError(t, err, tt.says)
	}
}
