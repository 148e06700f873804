package session

import (
	"os"
	"syscall"
)

// An exit is how a transport ended.
type exit struct {
	code   int            // its exit code; -1 if a signal ended it, or nobody knows
	signal syscall.Signal // that ended it; 0 if none did
	lost   error          // it did not end, but the connection did; nil if not so
}

func exitOf(state *os.ProcessState) exit {
	e := exit{code: state.ExitCode()}
	if status, ok := state.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		e.signal = status.Signal()
	}
	return e
}
