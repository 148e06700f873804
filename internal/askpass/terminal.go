package askpass

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

// su and doas start no helper: they ask at a terminal, and nowhere else. So a copy of this program, called by the name
// below, makes one, starts them at it, and asks at the desk what they ask there. The streams of the worker are not on that
// terminal; they pass all bytes.
//
//	DIR/deliveryboy-terminal /usr/bin/doas -u www -- /app __deliver
//	DIR/deliveryboy-terminal --stdin /usr/bin/su -c 'exec /app __deliver <&3 2>&4 3<&- 4>&-' -- www
//
// doas opens its controlling terminal. su asks at its stdin and stderr, so with --stdin these are the terminal, and the
// real ones are descriptors 3 and 4, which the worker's shell puts back.

// terminalName is the name that makes the role, like helperName, and in the same directory.
const terminalName = "deliveryboy-terminal"

// atStdin is the option for programs that ask at stdin.
const atStdin = "--stdin"

// Terminal is the file that starts a program at a terminal of its own, on the machine where helper is one.
func Terminal(helper string) string { return filepath.Join(filepath.Dir(helper), terminalName) }

// Exit codes of this program's own, as env has them.
const (
	exitUnable  = 126
	exitMissing = 127
)

func terminalCalled(argv []string) bool {
	return len(argv) > 1 && filepath.IsAbs(argv[0]) && filepath.Base(argv[0]) == terminalName &&
		(argv[1] == atStdin || filepath.IsAbs(argv[1]))
}

// conduct runs a program at a terminal and returns its exit code.
func conduct(argv []string) int {
	code, err := runAt(filepath.Dir(argv[0]), argv[1:])
	if err != nil {
		fmt.Fprintf(os.Stderr, "deliveryboy: terminal: %v\n", err)
	}
	return code
}

func runAt(dir string, argv []string) (code int, err error) {
	stdin := argv[0] == atStdin
	if stdin {
		argv = argv[1:]
	}
	if len(argv) == 0 || !filepath.IsAbs(argv[0]) {
		return exitUnable, fmt.Errorf("program %.200q: an absolute path is needed", strings.Join(argv, " "))
	}
	if err := private(dir); err != nil {
		return exitUnable, err
	}
	hide()
	ours, theirs, err := openTerminal()
	if err != nil {
		return exitUnable, err
	}
	defer ours.Close()
	defer theirs.Close()
	cmd := &exec.Cmd{Path: argv[0], Args: argv, Env: English(os.Environ()), SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true}}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if stdin {
		cmd.Stdin, cmd.Stderr, cmd.ExtraFiles = theirs, theirs, []*os.File{os.Stdin, os.Stderr}
	} else {
		cmd.SysProcAttr.Ctty, cmd.ExtraFiles = 3, []*os.File{theirs} // doas closes it first of all
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT)
	if err := cmd.Start(); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return exitMissing, err
		}
		return exitUnable, err
	}
	s := &screen{ours: ours, theirs: theirs, dir: dir, pid: cmd.Process.Pid}
	return s.supervise(cmd, signals)
}

// supervise answers at the terminal until the program has ended. The code is the program's, or as shells have it.
func (s *screen) supervise(cmd *exec.Cmd, signals <-chan os.Signal) (code int, err error) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	watched, ended := make(chan error, 1), make(chan struct{})
	go func() { watched <- s.watch(ctx) }()
	go func() {
		_ = cmd.Wait() // how it ended is in cmd
		close(ended)
	}()
	for over := false; !over; {
		select {
		case got := <-signals:
			_ = cmd.Process.Signal(got)
			_ = cmd.Process.Signal(syscall.SIGCONT)
			if !enters(s.pid) {
				s.hangUp() // it would go on waiting for an answer
			}
		case <-ended:
			over = true
		}
	}
	stop()
	s.finish()
	err = <-watched
	if said := s.said(); len(said) > 0 {
		_, _ = os.Stderr.Write(said)
	}
	status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus)
	switch {
	case err != nil:
		return 1, err // how the program takes that is of no interest
	case ok && status.Signaled():
		return 128 + int(status.Signal()), err
	}
	return cmd.ProcessState.ExitCode(), err
}
