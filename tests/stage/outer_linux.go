package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// File descriptors that the first process of the namespace inherits.
const (
	lifelineFD = 3 // reads signal numbers; end of file means that the outer process is gone
	resultFD   = 4 // takes one result
)

// result is the last word of the first process of the namespace.
type result struct {
	Built    bool // whether the inner process was started
	ExitCode int
	Signal   int
	Err      string
}

var relayed = []os.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGQUIT, unix.SIGTERM, unix.SIGUSR1, unix.SIGUSR2}

// runOuter starts the namespace and stays until the kernel has taken it down. An error with exit code 0 means that the
// program did not run inside.
func runOuter(o Options) Report {
	var r Report
	if o.After != nil {
		if r.EtcBefore, r.Err = HashTree("/etc"); r.Err != nil {
			return r
		}
	}
	// The parent's death signal is tied to the thread, so this goroutine keeps its thread until the end.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	res, err := holdNamespace()
	r.ExitCode, r.Signal, r.Err = res.ExitCode, res.Signal, err
	if r.Err == nil && res.Err != "" {
		r.Err = errors.New(res.Err)
	}
	if o.After == nil {
		return r
	}
	var hashErr error
	r.EtcAfter, hashErr = HashTree("/etc")
	r.Err = errors.Join(r.Err, hashErr)
	r.EtcSame = hashErr == nil && r.EtcBefore == r.EtcAfter
	return r
}

func holdNamespace() (result, error) {
	exe, err := os.Executable()
	if err != nil {
		return result{}, fmt.Errorf("stage: find this program: %w", err)
	}
	lifeline, hold, err := os.Pipe()
	if err != nil {
		return result{}, fmt.Errorf("stage: %w", err)
	}
	defer hold.Close()
	answer, say, err := os.Pipe()
	if err != nil {
		lifeline.Close()
		return result{}, fmt.Errorf("stage: %w", err)
	}
	defer answer.Close()
	cmd := &exec.Cmd{
		Path: exe, Args: os.Args, Env: append(os.Environ(), roleVar+"="+roleInit),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		ExtraFiles: []*os.File{lifeline, say},
		// When this process dies, even by SIGKILL, so does the first one inside, and with it all the others. (Go's own
		// check for a parent that is dead already misfires in a new process namespace, where the parent is number 0; a
		// SIGKILL that the first process sends to itself is ignored by the kernel, and the lifeline covers that moment.)
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags: unix.CLONE_NEWNS | unix.CLONE_NEWPID,
			Pdeathsig:  unix.SIGKILL,
		},
	}
	err = cmd.Start()
	lifeline.Close()
	say.Close()
	if err != nil {
		return result{}, fmt.Errorf("stage: new mount and process namespaces: %w; the container or the kernel forbids them", err)
	}
	stop := relay(hold)
	defer stop()
	return resultOf(answer, cmd.Wait())
}

// relay sends the signals this process gets to the inner one, until stop is called. Ctrl-C and Ctrl-\ on a terminal
// reach the whole group, so they are not sent twice.
func relay(hold io.Writer) (stop func()) {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, relayed...)
	_, err := unix.IoctlGetTermios(int(os.Stdin.Fd()), unix.TCGETS)
	terminal := err == nil
	done := make(chan struct{})
	go func() {
		defer close(done)
		for s := range signals {
			number, ok := s.(syscall.Signal)
			if !ok || terminal && (number == unix.SIGINT || number == unix.SIGQUIT) {
				continue
			}
			if _, err := hold.Write([]byte{byte(number)}); err != nil {
				return // the namespace is gone, and this process leaves next
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(signals)
		<-done
	}
}

// resultOf reads the result; the process that would write it is dead by now.
func resultOf(answer io.Reader, died error) (result, error) {
	var res result
	if err := json.NewDecoder(io.LimitReader(answer, 64<<10)).Decode(&res); err == nil {
		return res, nil
	}
	res = result{ExitCode: 1}
	var exit *exec.ExitError
	if errors.As(died, &exit) {
		if status, ok := exit.Sys().(syscall.WaitStatus); ok && status.Signaled() {
			res.ExitCode = 128 + int(status.Signal())
		}
	}
	if died == nil {
		died = errors.New("the program ended before it came to stage.Enter a second time")
	}
	return res, fmt.Errorf("stage: the first process inside died: %w", died)
}

// leave exits as the inner process did, by the same signal where that is an ordinary way to die.
func leave(r Report) {
	if r.Err != nil {
		fmt.Fprintln(os.Stderr, r.Err)
	}
	number := syscall.Signal(r.Signal)
	if slices.Contains([]syscall.Signal{unix.SIGHUP, unix.SIGINT, unix.SIGTERM, unix.SIGKILL}, number) {
		signal.Reset(number)
		if unix.Kill(os.Getpid(), number) == nil {
			select {} // the signal is on its way
		}
	}
	os.Exit(r.ExitCode)
}
