package hop

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
)

// Name is the function that a worker has to have to be a hop: among session.Options.Only, and in the lists of sudoers rules.
const Name = "deliveryboy.hop"

var start = registry.Register(Name, run, registry.Rules{Doc: "starts a transport for a session that goes through this one"})

const (
	// How long a process that was left behind may hold the output of a command that has ended.
	afterlife = 250 * time.Millisecond
	// How long a cancelled call waits for its command. It has to be less than the grace of most sessions.
	politely = 150 * time.Millisecond
	// How long a command may take to end after SIGTERM: the longest grace of a worker, and a little more.
	firmly = 65 * time.Second

	maxWords = 4096 // of a command
)

// run is the far side: it runs a command, and returns its exit code, or 128 and the number of the signal that ended it.
func run(ctx context.Context, argv []string, in io.Reader, out, stderr io.Writer) (code int, err error) {
	if len(argv) == 0 || len(argv) > maxWords || !path.IsAbs(argv[0]) {
		return -1, errors.New("hop: a command has to begin with an absolute path")
	}
	cmd := &exec.Cmd{
		Path: argv[0], Args: argv, Env: english(os.Environ()), Stdout: out, Stderr: stderr,
		SysProcAttr: &syscall.SysProcAttr{Setsid: true}, WaitDelay: afterlife,
	}
	// A copy of its own, because Wait would wait for the end of in after the command's.
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return -1, fmt.Errorf("hop: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return -1, fmt.Errorf("hop: %w", err)
	}
	go func() { // ends with the call, after which in gives an error
		_, _ = io.Copy(stdin, in)
		_ = stdin.Close()
	}()
	ended := make(chan struct{})
	go func() { // ends with the command, or with this process
		defer close(ended)
		_ = cmd.Wait() // how it ended is in cmd
	}()
	select {
	case <-ended:
		return exitCode(cmd.ProcessState), nil
	case <-ctx.Done():
	}
	_ = stdin.Close() // its caller is gone
	terminate(cmd.Process)
	timer := time.NewTimer(politely)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		go finish(cmd.Process, ended) // the same
	}
	return -1, context.Cause(ctx)
}

func terminate(p *os.Process) {
	_ = p.Signal(syscall.SIGTERM)
	_ = p.Signal(syscall.SIGCONT) // a stopped one takes no other
}

// finish ends what does not end by itself. Whoever may not be signalled has the end of its stdin.
func finish(p *os.Process, ended <-chan struct{}) {
	timer := time.NewTimer(firmly)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
		_ = p.Kill()
	}
}

func exitCode(state *os.ProcessState) int {
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return state.ExitCode()
}

// english makes the tools say in English what went wrong, which is what transport.Diagnose reads.
func english(env []string) []string {
	out := make([]string, 0, len(env)+1)
	for _, entry := range env {
		switch name, value, _ := strings.Cut(entry, "="); name {
		case "LC_MESSAGES", "LANGUAGE":
		case "LC_ALL":
			out = append(out, "LANG="+value)
		default:
			out = append(out, entry)
		}
	}
	return append(out, "LC_MESSAGES=C")
}
