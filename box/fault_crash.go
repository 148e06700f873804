package box

import "strings"

// CrashFault finds what the Go runtime printed when it ended a worker: a panic that nobody could recover, such as one
// in a goroutine of the function, or a fatal error. The message and the stack, with the far side's files and lines,
// come into the fault; running out of memory is OutOfMemory, SIGQUIT is Killed, everything else is Crashed.
//
// stderr is the end of what the worker said; 64 KiB are enough for all but the dump of thousands of goroutines. The
// result is nil, false if no crash is in it. Call it only for a worker that has died without a reply: a program may
// print the same text for its own reasons.
func CrashFault(stderr string) (*Fault, bool) {
	lines := strings.Split(strings.ReplaceAll(stderr, "\r\n", "\n"), "\n")
	for _, atStart := range []bool{true, false} { // the program may have left its last line open
		for i := len(lines) - 1; i >= 0; i-- {
			if f := crashAt(lines, i, atStart); f != nil {
				return f, true
			}
		}
	}
	return nil, false
}

// crashAt is the crash that line i announces; nil if it announces none, or if no stack follows.
func crashAt(lines []string, i int, atStart bool) *Fault {
	said, ok := announcement(lines[i], atStart)
	if !ok {
		return nil
	}
	f := &Fault{Kind: Crashed}
	next := i + 1
	for ; next < len(lines) && !isTrace(lines[next]); next++ {
		line := lines[next]
		switch {
		case strings.HasPrefix(line, "[signal "):
			f.Signal, _, _ = strings.Cut(line[len("[signal "):], ":")
		case strings.HasPrefix(line, "\t"): // more of the message, or one panic upon another
			said += "\n" + line[1:]
		case line != "" && !strings.HasPrefix(line, "runtime: "):
			return nil
		}
	}
	if next == len(lines) && !isOutOfMemory(said) {
		return nil
	}
	if signal, _, ok := strings.Cut(said, ":"); ok && strings.HasPrefix(signal, "SIG") {
		if next != i+1 || next == len(lines) || !strings.HasPrefix(lines[next], "PC=") {
			return nil
		}
		f.Signal = signal
	}
	switch {
	case isOutOfMemory(said):
		f.Kind = OutOfMemory
	case f.Signal == "SIGQUIT":
		f.Kind = Killed
	}
	f.Text = cut(strings.TrimSpace(said), maxFaultText)
	f.Stack = cut(strings.TrimSpace(strings.Join(lines[next:], "\n")), maxFaultText)
	f.Signal = cut(f.Signal, maxFaultName)
	return f
}

// announcement is what the runtime says first, without what the program printed before it on the same line.
func announcement(line string, atStart bool) (said string, ok bool) {
	for _, mark := range []string{"panic: ", "fatal error: ", "SIG"} {
		i := strings.Index(line, mark)
		if i < 0 || atStart && i > 0 || inCrash(line) {
			continue
		}
		if mark == "SIG" && !isSignalLine(line[i:]) {
			continue
		}
		return line[i:], true
	}
	return "", false
}

// inCrash says that a line can only belong to a crash that an earlier line announces.
func inCrash(line string) bool {
	return strings.HasPrefix(line, "\t") || strings.HasPrefix(line, "runtime: ")
}

// isSignalLine recognises "SIGABRT: abort".
func isSignalLine(line string) bool {
	name, _, ok := strings.Cut(line, ": ")
	return ok && len(name) > len("SIG") && strings.Trim(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ12") == ""
}

// isTrace says that here the stacks start.
func isTrace(line string) bool {
	if n, ok := strings.CutPrefix(line, "goroutine "); ok {
		return n != "" && n[0] >= '0' && n[0] <= '9' && strings.Contains(n, " [")
	}
	return line == "runtime stack:" || strings.HasPrefix(line, "PC=")
}

func isOutOfMemory(said string) bool {
	why, ok := strings.CutPrefix(said, "fatal error: ")
	return ok && (strings.Contains(why, "out of memory") || strings.Contains(why, "cannot allocate"))
}
