package box

import (
	"fmt"
	"unicode/utf8"
)

// The limits of a fault. They hold on the way out, so that every honest fault keeps them, and again on the way in.
const (
	maxFaultNodes  = 1024      // errors in one tree
	maxFaultDepth  = 64        // errors above one another
	maxFaultText   = 64 << 10  // bytes of one message, and of one stack
	maxFaultTexts  = 1 << 20   // bytes of all messages and stacks of one fault
	maxFaultFields = 512 << 10 // bytes of all fields of one fault
	maxFaultName   = 256       // bytes of the name of a type, a sentinel, a signal
)

// Fault is how an error, a panic or a sudden end travels: flat, so that gob can carry it and a reader can check it. It
// is made by [FaultOf], [PanicFault] and their siblings on the far side, and becomes an error again in [Fault.Err].
type Fault struct {
	Kind   Kind
	Nodes  []Node // the error tree: Nodes[0] is its root, children come after their parents
	Text   string // what the runtime said, for Crashed and OutOfMemory
	Stack  string // where it happened, for a panic and for the ends that know it
	Code   int    // the exit status, for Exited
	Signal string // such as "SIGKILL"
}

// Node is one error of a tree, or the value of a panic.
type Node struct {
	Type     string   // the Go type, as %T prints it
	Msg      string   // what its Error method said
	Stack    string   // the stack that it carried itself
	Sentinel string   // it is the sentinel registered under this name
	Codec    string   // it is of the type registered under this name, and Fields rebuild it
	Fields   []byte   // the exported fields; errors among them are nodes
	Causes   []int    // the nodes that Unwrap gave, less those in Fields
	Is       []string // the sentinels that its own Is method says it is
	Traits   Traits
}

// Traits are what an error can do besides giving its text.
type Traits uint8

const (
	isNil        Traits = 1 << iota // a nil pointer
	isValue                         // the value of a panic, and no error
	hasTimeout                      // it has a Timeout method
	isTimeout                       // Timeout says true
	hasTemporary                    // it has a Temporary method
	isTemporary                     // Temporary says true
	isRuntime                       // a runtime.Error
)

func (t Traits) has(bits Traits) bool { return t&bits == bits }

// FaultOf packs an error that a function returned. It is nil for nil.
func FaultOf(err error) *Fault {
	if err == nil {
		return nil
	}
	return &Fault{Kind: Returned, Nodes: packTree(err)}
}

// PanicFault packs a panic that was recovered: its value, and what [runtime/debug.Stack] gave in the deferred function.
func PanicFault(value any, stack []byte) *Fault {
	f := &Fault{Kind: Panicked, Stack: cut(belowPanic(string(stack)), maxFaultText)}
	if err, ok := value.(error); ok {
		f.Nodes = packTree(err)
	} else {
		f.Nodes = []Node{packValue(value)}
	}
	return f
}

// Err rebuilds the error in the caller: a *[PanicError] for Panicked, a *[RemoteError] for everything else, with the
// original inside. It is nil for a nil fault. Bytes from a hostile far side make at worst an odd text.
func (f *Fault) Err(o Origin) error {
	if f == nil {
		return nil
	}
	top := &RemoteError{
		Kind: f.Kind, Code: f.Code, Signal: cut(f.Signal, maxFaultName), Stack: cut(f.Stack, maxFaultText),
		Origin: o, here: callers(1),
	}
	switch f.Kind {
	case Returned:
		unpackTree(f.Nodes, top)
	case Panicked:
		return &PanicError{Value: unpackPanic(f.Nodes, top), RemoteError: top}
	default:
		top.Msg = f.sentence()
	}
	return top
}

// cut shortens s to limit bytes, and says so.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	mark := fmt.Sprintf("…[cut from %d bytes]", len(s))
	end := max(limit-len(mark), 0)
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + mark
}
