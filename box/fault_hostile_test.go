package box

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
)

// ask does with an error what a caller may do.
func ask(err error) {
	_ = err.Error()
	_ = fmt.Sprintf("%+v %q", err, err)
	_ = errors.Is(err, io.EOF)
	_ = errors.Is(err, fs.ErrNotExist)
	var op *net.OpError
	if errors.As(err, &op) && op != nil {
		_ = op.Error()
	}
	var path *fs.PathError
	if errors.As(err, &path) && path != nil {
		_ = path.Error()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit != nil {
		_ = exit.ExitCode()
	}
	var timeout interface{ Timeout() bool }
	if errors.As(err, &timeout) {
		_ = timeout.Timeout()
	}
	_ = FaultOf(err).Err(Origin{})
}

func TestHostileFaults(t *testing.T) {
	t.Parallel()
	pathError := typeKey(reflect.TypeFor[*fs.PathError]())
	var w fieldWriter
	w.string("open")
	w.string("/x")
	w.uint(1)
	okFields := w.b
	wide := make([]Node, 5000)
	for i := range wide {
		wide[i] = Node{Msg: "n", Causes: []int{i + 1, i + 1, i + 2}}
	}
	for name, tt := range map[string]struct {
		fault Fault
		want  string // the text
	}{
		"unknown kind":      {Fault{Kind: 255}, "unknown remote error kind 255"},
		"negative kind":     {Fault{Kind: -1}, "unknown remote error kind -1"},
		"no nodes":          {Fault{}, "remote error without a text"},
		"panic of nothing":  {Fault{Kind: Panicked}, "panic: a value that did not travel"},
		"its own child":     {Fault{Nodes: []Node{{Msg: "m", Causes: []int{0, 0}}}}, "m"},
		"far children":      {Fault{Nodes: []Node{{Msg: "m", Causes: []int{-1, 1, 1 << 40}}}}, "m"},
		"a cycle":           {Fault{Nodes: []Node{{Msg: "m", Causes: []int{1}}, {Msg: "n", Causes: []int{0, 1}}}}, "m"},
		"5000 nodes":        {Fault{Nodes: wide}, "n"},
		"unknown names":     {Fault{Nodes: []Node{{Msg: "m", Codec: "*x.Y", Is: []string{"a", "b"}}}}, "m"},
		"unknown sentinel":  {Fault{Nodes: []Node{{Msg: "m", Sentinel: "x.Y"}}}, "m"},
		"no fields":         {Fault{Nodes: []Node{{Msg: "m", Codec: pathError}}}, "m"},
		"a missing child":   {Fault{Nodes: []Node{{Msg: "m", Codec: pathError, Fields: okFields}}}, "m"},
		"no Err":            {Fault{Nodes: []Node{{Msg: "m", Codec: pathError, Fields: []byte{0, 0, 0}}}}, "m"},
		"bytes left":        {Fault{Nodes: []Node{{Msg: "m", Codec: pathError, Fields: append(okFields, 1)}, {Msg: "n"}}}, "m"},
		"a nil path error":  {Fault{Nodes: []Node{{Msg: "m", Codec: pathError, Traits: isNil}}}, "m"},
		"a huge length":     {Fault{Nodes: []Node{{Msg: "m", Codec: pathError, Fields: []byte{255, 255, 255, 255, 255, 255, 255, 255, 255, 1}}}}, "m"},
		"a huge slice":      {Fault{Nodes: []Node{{Msg: "m", Codec: "*os/exec.ExitError", Fields: []byte{0, 255, 255, 255, 255, 15}}}}, "m"},
		"all traits":        {Fault{Nodes: []Node{{Msg: "m", Traits: 255}}}, "m"},
		"a nil remote":      {Fault{Nodes: []Node{{Msg: "m", Codec: "*" + reflect.TypeFor[RemoteError]().PkgPath() + ".RemoteError", Traits: isNil}}}, "m"},
		"panic, no remote":  {Fault{Nodes: []Node{{Msg: "m", Codec: typeKey(reflect.TypeFor[*PanicError]()), Fields: []byte{0}}}}, "m"},
		"panic, bad remote": {Fault{Nodes: []Node{{Msg: "m", Codec: typeKey(reflect.TypeFor[*PanicError]()), Fields: []byte{0}, Causes: []int{1}}, {Msg: "n"}}}, "m"},
		"panic, bad value":  {Fault{Kind: Panicked, Nodes: []Node{{Msg: "m", Traits: isValue, Fields: []byte{3, 'i', 'n', 't'}}}}, "panic: m"},
		"panic, all traits": {Fault{Kind: Panicked, Nodes: []Node{{Msg: "m", Traits: 255}}}, "panic: m"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.fault.Err(Origin{})
			if err.Error() != tt.want {
				t.Errorf("the text is %q; want %q", err, tt.want)
			}
			var remote *RemoteError
			if !errors.As(err, &remote) {
				t.Errorf("a %T has no *RemoteError", err)
			}
			ask(err)
		})
	}
}

func TestHostileTextsAreCut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", 10<<20)
	nodes := []Node{{Type: long, Msg: long, Stack: long}}
	for _, f := range []Fault{
		{Nodes: nodes, Stack: long}, {Kind: Panicked, Nodes: nodes}, {Kind: Crashed, Text: long, Stack: long},
		{Kind: Killed, Signal: long}, {Kind: OutOfMemory, Signal: long}, {Kind: OutOfMemory, Text: long},
		{Kind: Panicked, Nodes: []Node{{Type: long, Msg: long, Traits: isValue}}},
	} {
		var remote *RemoteError
		err := f.Err(Origin{})
		if !errors.As(err, &remote) {
			t.Fatalf("%v: no *RemoteError", f.Kind)
		}
		if n := len(err.Error()); n > 65<<10 {
			t.Errorf("%v: a text of %d bytes", f.Kind, n)
		}
		if n := len(fmt.Sprintf("%+v", err)); n > 200<<10 {
			t.Errorf("%v: details of %d bytes", f.Kind, n)
		}
	}
}

// A chain that is deeper than an honest side sends must be cut, and not followed.
func TestHostileDepth(t *testing.T) {
	t.Parallel()
	nodes := make([]Node, 1000)
	for i := range nodes {
		nodes[i] = Node{Msg: "n", Causes: []int{i + 1}}
	}
	depth := 0
	for err := (&Fault{Nodes: nodes}).Err(Origin{}); err != nil; depth++ {
		below := err.(*RemoteError).Unwrap()
		if len(below) == 0 {
			break
		}
		err = below[0]
	}
	if depth >= maxFaultDepth {
		t.Errorf("a chain of %d", depth)
	}
}

// Errno numbers differ between systems: a name that is unknown here must not become another error.
func TestErrnoOfAnotherSystem(t *testing.T) {
	t.Parallel()
	key := typeKey(reflect.TypeFor[syscall.Errno]())
	for name, want := range map[string]error{"ENOENT": syscall.ENOENT, "": syscall.Errno(77), "ENOTHERE": nil} {
		var w fieldWriter
		w.string(name)
		w.uint(77)
		err := (&Fault{Nodes: []Node{{Msg: "m", Codec: key, Fields: w.b}}}).Err(Origin{})
		var errno syscall.Errno
		if errors.As(err, &errno) != (want != nil) || want != nil && !errors.Is(err, want) {
			t.Errorf("name %q gives %v; want %v", name, errno, want)
		}
		if err.Error() != "m" {
			t.Errorf("name %q: the text is %q", name, err)
		}
	}
}

// Every type that comes back without registration must keep to the rules of those that are registered.
func TestWellKnownErrorsCanTravel(t *testing.T) {
	t.Parallel()
	for _, e := range wellKnownErrors() {
		hidden := len(e.hidden) > 0 || e.typ == reflect.TypeFor[*PanicError]() || strings.Contains(e.typ.String(), "PanicNil")
		if err := travels(e.typ); err != nil && !hidden {
			t.Errorf("%s: %v", e.typ, err)
		}
		for _, name := range e.hidden {
			if _, ok := e.typ.Elem().FieldByName(name); !ok {
				t.Errorf("%s has no field %s in this Go version", e.typ, name)
			}
		}
	}
}

func TestWellKnownSentinelsAreDistinct(t *testing.T) {
	t.Parallel()
	table := sentinelTable{byName: map[string]error{}, byErr: map[error]string{}}
	for _, s := range wellKnownSentinels() {
		if why := table.put(s.name, s.err); why != "" {
			t.Errorf("%s: %s", s.name, why)
		}
	}
}

// void takes no bytes on the wire for its elements, so that only the check of the length stops a reader.
type void []struct{}

func (void) Error() string { return "void" }

func TestALengthIsOnlyAClaim(t *testing.T) {
	t.Parallel()
	var w fieldWriter
	w.uint(1 << 62)
	kind := &errtype{typ: reflect.TypeFor[void]()}
	if err, failed := kind.decode(w.b, nil); failed == nil {
		t.Errorf("it decodes to %d elements", len(err.(void)))
	}
}

func TestADeepChainIsCutBeforeItLeaves(t *testing.T) {
	t.Parallel()
	err := io.EOF
	for range 500 {
		err = fmt.Errorf("%w", err)
	}
	if n := len(FaultOf(err).Nodes); n != maxFaultDepth {
		t.Errorf("%d nodes; want %d", n, maxFaultDepth)
	}
}
