package box

import (
	"fmt"
	"strings"
)

// Fate is how far a call came that brought no reply.
type Fate int

const (
	NotStarted   Fate = iota // the function did not run; the call may be repeated
	Started                  // the function started; nobody knows how far it came
	Stopped                  // the function started and was stopped; nothing of it runs any more
	StillRunning             // the function could not be stopped, and may still run
)

func (f Fate) String() string {
	switch f {
	case NotStarted:
		return "not started"
	case Started:
		return "started"
	case Stopped:
		return "stopped"
	case StillRunning:
		return "still running"
	}
	return fmt.Sprintf("fate %d", int(f))
}

// DeliveryError says that a box did not arrive, or that no reply came back.
//
// Err is one of *[PackingError], *[EncodingError], *[TransportError] or *[VersionSkewError], or the context's error
// when the caller gave up waiting.
type DeliveryError struct {
	Op   string // what was being done: "pack", "start", "handshake", "send", "wait", "unpack"
	Func string // the function's registered name
	Via  string // the transport in spec form; empty in this process
	Hop  string // the hop that failed, where that is known
	Fate Fate   // how far the call came
	Err  error

	stack stack
}

// NewDeliveryError returns e with the stack of its caller, which %+v prints.
func NewDeliveryError(e DeliveryError) *DeliveryError {
	e.stack = callers(1)
	return &e
}

func (e *DeliveryError) Error() string {
	var b strings.Builder
	b.WriteString("deliver")
	if e.Func != "" {
		b.WriteString(" " + e.Func)
	}
	if e.Via != "" {
		b.WriteString(" via " + e.Via)
	}
	fmt.Fprintf(&b, ": %s: %v", e.Op, e.Err)
	if e.Fate != NotStarted {
		fmt.Fprintf(&b, " (the function: %s)", e.Fate)
	}
	return b.String()
}

func (e *DeliveryError) Unwrap() error { return e.Err }

// Format prints the local stack with %+v.
func (e *DeliveryError) Format(s fmt.State, verb rune) {
	formatWithDetail(s, verb, e.Error(), func() string { return e.stack.String() })
}

// PackingError says that a call cannot be packed: no such function, no function at all, or a kind of callable or
// argument that cannot be delivered.
type PackingError struct {
	Func string // the name asked for; may be empty
	Why  string
	Err  error // the cause, if there is one
}

func (e *PackingError) Error() string { return withCause(describe("function", e.Func)+e.Why, e.Err) }
func (e *PackingError) Unwrap() error { return e.Err }

// EncodingError says that a value, a box or a reply could not be encoded or decoded.
type EncodingError struct {
	What string // what was on its way: "arg 2", "result 0", "box", "reply", "envelope"
	Path string // the field, as in ".Opts.Limit"; may be empty
	Why  string
	Err  error // the cause, if there is one
}

func (e *EncodingError) Error() string {
	return withCause(e.What+e.Path+": "+e.Why, e.Err)
}
func (e *EncodingError) Unwrap() error { return e.Err }

// TransportError says that a transport did not start, ended without a reply, or broke.
type TransportError struct {
	Hop      string   // the hop that failed, in spec form; the whole chain where that is not known
	Argv     []string // what was run
	ExitCode int      // of the transport; -1 if it did not exit by itself
	Signal   string   // that ended the transport, such as "killed"; may be empty
	Stderr   string   // its last lines
	Reason   string   // the classified reason, such as "a password is needed"; may be empty
	Err      error    // the cause, if there is one
}

func (e *TransportError) Error() string {
	var parts []string
	switch {
	case e.Reason != "":
		parts = append(parts, e.Reason)
	case e.Signal != "":
		parts = append(parts, "ended by signal: "+e.Signal)
	case e.ExitCode > 0:
		parts = append(parts, fmt.Sprintf("exit status %d", e.ExitCode))
	}
	if e.Err != nil {
		parts = append(parts, e.Err.Error())
	}
	if s := lastLines(e.Stderr, 3); s != "" {
		parts = append(parts, fmt.Sprintf("it said %q", s))
	}
	if len(parts) == 0 {
		parts = append(parts, "ended without a reply")
	}
	return describe("transport", e.Hop) + strings.Join(parts, "; ")
}
func (e *TransportError) Unwrap() error { return e.Err }

// VersionSkewError says that the far side runs another build of this program, or one with other functions. It is found
// in the handshake: no argument has left the caller.
type VersionSkewError struct {
	Local, Remote string   // build IDs
	Diff          []string // one readable line per difference
}

func (e *VersionSkewError) Error() string {
	diff := "the far side runs another build"
	if len(e.Diff) > 0 {
		diff = strings.Join(e.Diff, "; ")
	}
	return diff + ": install this program's build on the far side"
}

func describe(noun, name string) string {
	if name == "" {
		return ""
	}
	return fmt.Sprintf("%s %q: ", noun, name)
}

func withCause(text string, cause error) string {
	if cause == nil {
		return text
	}
	return text + ": " + cause.Error()
}

// lastLines is the end of what a program said, at most n lines and 512 bytes.
func lastLines(s string, n int) string {
	s = strings.TrimSpace(s)
	if len(s) > 512 {
		s = s[len(s)-512:]
	}
	lines := strings.Split(s, "\n")
	if len(lines) > n {
		lines = lines[len(lines)-n:]
	}
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], "\r")
	}
	return strings.Join(lines, "\n")
}

// formatWithDetail is what the error types here do for fmt: text for %v and %s, quoted for %q, and detail after the
// text for %+v.
func formatWithDetail(s fmt.State, verb rune, text string, detail func() string) {
	switch {
	case verb == 'q':
		fmt.Fprintf(s, "%q", text)
	case verb == 'v' && s.Flag('+'):
		fmt.Fprint(s, text)
		if d := strings.TrimRight(detail(), "\n"); d != "" {
			fmt.Fprint(s, "\n"+d)
		}
	default:
		fmt.Fprint(s, text)
	}
}
