package box

import (
	"fmt"
	"strings"
	"time"
)

// Format prints, with %+v, everything that is known: the type, the way, who ran the function, the remote stack, where
// the caller got the error, and the same again for each further trip inside.
func (e *RemoteError) Format(s fmt.State, verb rune) {
	formatWithDetail(s, verb, e.Error(), e.detail)
}

func (e *RemoteError) detail() string {
	var b strings.Builder
	e.writeWhat(&b)
	e.Origin.write(&b)
	section(&b, "remote stack", e.Stack)
	section(&b, "called from", e.here.String())
	for _, err := range e.inner {
		writeTrips(&b, err)
	}
	return b.String()
}

// writeWhat says what it is, and in which function it happened.
func (e *RemoteError) writeWhat(b *strings.Builder) {
	what := e.Type
	switch {
	case e.Kind == Returned && what == "":
		what = "an error"
	case e.Kind == Panicked:
		what = strings.TrimSuffix("panic with "+what, " with ")
	case e.Kind != Returned:
		what = e.Kind.String()
	}
	b.WriteString("    " + what)
	if e.Origin.Func != "" {
		b.WriteString(", from the function " + e.Origin.Func)
	}
	b.WriteString("\n")
}

// write prints the way that a reply took, and who ran the function.
func (o Origin) write(b *strings.Builder) {
	if o.Via != "" {
		b.WriteString("    via " + o.Via + "\n")
	}
	for _, hop := range o.Hops {
		b.WriteString("    hop " + hop + "\n")
	}
	r := o.Run
	if r.PID == 0 {
		return
	}
	fmt.Fprintf(b, "    ran as uid %d, gid %d, pid %d", r.UID, r.GID, r.PID)
	if r.Host != "" {
		b.WriteString(" on " + r.Host)
	}
	if !r.Start.IsZero() {
		b.WriteString(", started " + r.Start.Format(time.RFC3339))
	}
	if r.Took > 0 {
		fmt.Fprintf(b, ", took %s", r.Took)
	}
	b.WriteString("\n")
}

// section prints a stack below its title.
func section(b *strings.Builder, title, stack string) {
	stack = strings.Trim(stack, "\n")
	if stack == "" {
		return
	}
	b.WriteString("    " + title + ":\n")
	for line := range strings.SplitSeq(stack, "\n") {
		b.WriteString("        " + line + "\n")
	}
}

// writeTrips prints the failures of calls that the function itself made, as far as they are inside err.
func writeTrips(b *strings.Builder, err error) {
	switch e := err.(type) {
	case *RemoteError:
		if !e.bare {
			b.WriteString("    caused by: " + e.Error() + "\n" + e.detail())
			return
		}
		if e.Stack != "" && hasDelivery(e) {
			section(b, "stack of the delivery", e.Stack)
		}
	case *PanicError:
		if e.RemoteError == nil {
			return
		}
	}
	for _, next := range unwrap(err) {
		if next != nil {
			writeTrips(b, next)
		}
	}
}

// hasDelivery says that e is the image of a delivery that failed, which is worth its stack.
func hasDelivery(e *RemoteError) bool {
	if len(e.inner) == 0 {
		return false
	}
	_, ok := e.inner[0].(*DeliveryError)
	return ok
}
