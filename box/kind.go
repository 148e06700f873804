package box

import "fmt"

// Kind is how a function ended that did not simply succeed.
type Kind int

const (
	Returned    Kind = iota // it returned an error
	Panicked                // it panicked, and the panic was recovered for it
	Exited                  // it ended the worker with os.Exit or log.Fatal
	Goexited                // it ended its goroutine with runtime.Goexit
	Killed                  // a signal ended the worker
	OutOfMemory             // the kernel, or Go itself, ended the worker for lack of memory
	Crashed                 // the Go runtime ended the worker: a fatal error, or a panic that nobody could recover
)

func (k Kind) String() string {
	switch k {
	case Returned:
		return "returned"
	case Panicked:
		return "panicked"
	case Exited:
		return "exited"
	case Goexited:
		return "goexited"
	case Killed:
		return "killed"
	case OutOfMemory:
		return "out of memory"
	case Crashed:
		return "crashed"
	}
	return fmt.Sprintf("kind %d", int(k))
}
