package process

import (
	"errors"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// A State is how a process ended. It travels, and has the methods of an *os.ProcessState.
type State struct {
	PID    int
	Code   int    // the exit code; -1 if a signal ended it, or nobody knows
	Signal string // that ended it, such as "SIGKILL"; empty if it exited
	Core   bool   // it left a core file

	User, System   time.Duration // what it and its children took of the CPU
	MaxRSS         int64         // the most memory that it, or one of its children, had, in bytes
	Started, Ended time.Time     // by the clock of its machine
}

// known reports whether it is known how it ended.
func (s *State) known() bool { return s.Code >= 0 || s.Signal != "" }

// Exited reports whether it ended by itself.
func (s *State) Exited() bool { return s.Signal == "" && s.Code >= 0 }

// Success reports whether it exited with 0.
func (s *State) Success() bool { return s.Exited() && s.Code == 0 }

// ExitCode is the exit code, or -1 if a signal ended it.
func (s *State) ExitCode() int {
	if s == nil {
		return -1
	}
	return s.Code
}

// Pid is the process's number.
func (s *State) Pid() int { return s.PID }

// UserTime is what it took of the CPU in user mode.
func (s *State) UserTime() time.Duration { return s.User }

// SystemTime is what it took of the CPU in system mode.
func (s *State) SystemTime() time.Duration { return s.System }

// String is as an *os.ProcessState has it: "exit status 1", "signal: killed (core dumped)".
func (s *State) String() string {
	if s == nil {
		return "<nil>"
	}
	text := "exit status " + strconv.Itoa(s.Code)
	if !s.known() {
		return "end unknown"
	}
	if !s.Exited() {
		text = "signal: " + strconv.Quote(s.Signal) // of a far side that says what it likes
		if sig, err := ParseSignal(s.Signal); err == nil {
			text = "signal: " + sig.String()
		}
	}
	if s.Core {
		text += " (core dumped)"
	}
	return text
}

// stateOf translates.
func stateOf(ps *os.ProcessState, started, ended time.Time) State {
	s := State{PID: ps.Pid(), Code: ps.ExitCode(), User: ps.UserTime(), System: ps.SystemTime(), Started: started, Ended: ended}
	how, known := ps.Sys().(syscall.WaitStatus)
	used, measured := ps.SysUsage().(*syscall.Rusage)
	if known && measured {
		s.tell(how, used)
	}
	return s
}

// tell takes in what only a system like this one says.
func (s *State) tell(how syscall.WaitStatus, used *syscall.Rusage) {
	if how.Signaled() {
		s.Code, s.Signal, s.Core = -1, SignalName(how.Signal()), how.CoreDump()
	}
	s.MaxRSS = maxRSS(used)
}

// An ExitError says that a command did not exit with 0.
type ExitError struct {
	*State
	Name   string // the process's
	Stderr []byte // the beginning and end of what it wrote there, if Output ran it and nobody else took that
}

func (e *ExitError) Error() string { return e.State.String() }

func init() { //nolint:gochecknoinits // functions that run commands return them
	box.RegisterError[*ExitError]()
	box.RegisterError[*ConfigError]()
}

// check gives the error of an end.
func (s *State) check(name string) error {
	if s.Success() {
		return nil
	}
	return &ExitError{State: s, Name: name}
}

// ErrNotStarted says that a process was not started yet.
var ErrNotStarted = errors.New("process: not started")

// ErrDone says that a process has ended. It is os.ErrProcessDone.
var ErrDone = os.ErrProcessDone
