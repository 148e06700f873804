package box

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os/exec"
	"syscall"
	"testing"
)

const maxFuzzInput = 1 << 16

// FuzzFault lets a hostile far side send anything as a fault.
func FuzzFault(f *testing.F) {
	for _, fault := range seedFaults() {
		f.Add(EncodeFault(fault))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > maxFuzzInput {
			return
		}
		fault, err := DecodeFault(b)
		if err != nil {
			return
		}
		if err := fault.Err(Origin{Func: "f"}); err != nil {
			ask(err)
		}
	})
}

// FuzzFields puts any fields into a tree whose shape is right, under the name of any type that is rebuilt.
func FuzzFields(f *testing.F) {
	known := wellKnownErrors()
	for i := range known {
		f.Add(i, uint8(Returned), uint8(0), []byte{0, 0, 1, 2, 0})
	}
	for i, e := range known {
		for _, fault := range seedFaults() {
			if len(fault.Nodes) > 0 && fault.Nodes[0].Codec == typeKey(e.typ) {
				f.Add(i, uint8(fault.Kind), uint8(fault.Nodes[0].Traits), fault.Nodes[0].Fields)
			}
		}
	}
	f.Fuzz(func(t *testing.T, i int, kind, traits uint8, b []byte) {
		if len(b) > maxFuzzInput {
			return
		}
		key := typeKey(known[uint(i)%uint(len(known))].typ)
		fault := Fault{Kind: Kind(kind), Nodes: []Node{
			{Msg: "root", Codec: key, Fields: b, Traits: Traits(traits), Causes: []int{1, 3}},
			{Msg: "one", Codec: key, Fields: b, Causes: []int{4}},
			{Msg: "two", Sentinel: "io.EOF"},
			{Msg: "three", Is: []string{"io.EOF", "net.ErrClosed"}, Traits: Traits(traits)},
			{Msg: "four", Codec: typeKey(known[0].typ), Fields: []byte{0, 0, 0}},
		}}
		ask(fault.Err(Origin{}))
	})
}

// FuzzCrash lets a worker print anything.
func FuzzCrash(f *testing.F) {
	f.Add("panic: x\n\ngoroutine 1 [running]:\nmain.main()\n")
	f.Add("fatal error: runtime: out of memory\n")
	f.Add("SIGABRT: abort\nPC=0x1 m=0 sigcode=0\n")
	f.Fuzz(func(t *testing.T, stderr string) {
		if fault, ok := CrashFault(stderr); ok {
			ask(fault.Err(Origin{}))
		}
	})
}

func seedFaults() []*Fault {
	further := FaultOf(&fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}).Err(Origin{Func: "g", Via: "sudo"})
	return []*Fault{
		FaultOf(fmt.Errorf("a: %w", errors.Join(io.EOF, syscall.EPERM))),
		FaultOf(&fs.PathError{Op: "open", Path: "/x", Err: syscall.ENOENT}),
		FaultOf(exec.Command("sh", "-c", "exit 3").Run()),
		FaultOf(exec.Command("sh", "-c", "kill -9 $$").Run()),
		FaultOf(further),
		FaultOf(PanicFault(1, nil).Err(Origin{Func: "g"})),
		FaultOf(&DeliveryError{Op: "send", Err: &TransportError{Argv: []string{"ssh"}, Err: io.EOF}}),
		PanicFault("x", nil), PanicFault(io.EOF, nil), ExitFault(1), SignalFault("SIGKILL", true),
	}
}
