package box

import "fmt"

// ExitFault packs the end of a worker that called os.Exit or log.Fatal in the middle of a function.
func ExitFault(code int) *Fault { return &Fault{Kind: Exited, Code: code} }

// GoexitFault packs the end of a function that called runtime.Goexit. The stack may be nil.
func GoexitFault(stack []byte) *Fault {
	return &Fault{Kind: Goexited, Stack: cut(string(stack), maxFaultText)}
}

// SignalFault packs the end of a worker by a signal, named as in "SIGTERM". oom says that it is known that the kernel's
// out-of-memory killer sent it. The name is empty if nobody knows which signal it was.
func SignalFault(name string, oom bool) *Fault {
	kind := Killed
	if oom {
		kind = OutOfMemory
	}
	return &Fault{Kind: kind, Signal: cut(name, maxFaultName)}
}

// sentence is the text of a sudden end, which left no error that could speak for itself.
func (f *Fault) sentence() string {
	text, signal := cut(f.Text, maxFaultText), cut(f.Signal, maxFaultName)
	if signal == "" {
		signal = "a signal"
	}
	switch f.Kind {
	case Exited:
		return fmt.Sprintf("worker exited with status %d before the function returned (os.Exit or log.Fatal)", f.Code)
	case Goexited:
		return "function ended its goroutine with runtime.Goexit"
	case Killed:
		if signal == "SIGKILL" {
			return "worker was killed by SIGKILL (kill -9, or the kernel's out-of-memory killer)"
		}
		return "worker was killed by " + signal
	case OutOfMemory:
		if text != "" {
			return "worker ran out of memory: " + text
		}
		return "worker was killed by the kernel's out-of-memory killer"
	case Crashed:
		return "worker crashed: " + text
	}
	return fmt.Sprintf("unknown remote error kind %d", int(f.Kind))
}
