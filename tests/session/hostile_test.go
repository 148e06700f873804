package session

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
)

// Node is a type in which values nest.
type Node struct {
	Next *Node
	N    int
}

// Wide takes 32 KiB, and one byte on the wire when it is empty.
type Wide struct {
	A [4096]int64
	B int
}

var (
	mapped = registry.Register("mapped", func(m map[int]int) map[int]int { return m })
	nested = registry.Register("nested", func(n *Node) *Node { return n }, registry.Rules{Depth: 8})
	wide   = registry.Register("wide", func(w []Wide) []Wide { return w })
)

// An attack, no larger than it has to be for a machine on which it succeeds, is the body of a gob message that decodes into far more than it is: THREATS F2, F3 and F4.
type attack struct {
	entry *registry.Entry
	legit any
	body  func() []byte
}

func attacks() map[string]attack {
	return map[string]attack{
		"F2": {mapped.Entry(), map[int]int{1: 2}, func() []byte { return append([]byte{1}, gobUint(1<<24)...) }},
		"F2, with a few entries": {mapped.Entry(), map[int]int{1: 2}, func() []byte {
			return append(append([]byte{1}, gobUint(1<<24)...), bytes.Repeat([]byte{2, 4}, 20)...)
		}},
		"F3": {nested.Entry(), &Node{Next: &Node{N: 1}}, func() []byte {
			const levels = 4 << 20
			return append(bytes.Repeat([]byte{1}, levels+1), make([]byte, levels+2)...)
		}},
		"F4": {wide.Entry(), []Wide{{B: 1}}, func() []byte {
			return append(append([]byte{1}, gobUint(8000)...), make([]byte, 8001)...)
		}},
	}
}

// gobUint is a number as gob writes it.
func gobUint(n uint64) []byte {
	if n < 128 {
		return []byte{byte(n)}
	}
	b := bytes.TrimLeft(binary.BigEndian.AppendUint64(nil, n), "\x00")
	return append([]byte{byte(-len(b))}, b...)
}

// readUint reads one, and how long it is; 0 if there is none.
func readUint(b []byte) (n uint64, size int) {
	if len(b) == 0 {
		return 0, 0
	}
	if b[0] < 128 {
		return uint64(b[0]), 1
	}
	size = 256 - int(b[0])
	if size > 8 || len(b) < size+1 {
		return 0, 0
	}
	for _, c := range b[1 : size+1] {
		n = n<<8 | uint64(c)
	}
	return n, size + 1
}

// forge puts another body into the message of some values that holds them, the last one.
func forge(v box.Values, body []byte) (box.Values, error) {
	for at := range v.Gob {
		length, size := readUint(v.Gob[at:])
		if size == 0 || length != uint64(len(v.Gob)-at-size) {
			continue
		}
		id, idSize := readUint(v.Gob[at+size:])
		if idSize == 0 || id&1 != 0 || id>>1 < 64 {
			continue // no number of a type
		}
		message := append(append([]byte(nil), v.Gob[at+size:at+size+idSize]...), body...)
		forged := append(append(append([]byte(nil), v.Gob[:at]...), gobUint(uint64(len(message)))...), message...)
		return box.Values{Types: v.Types, Gob: forged}, nil
	}
	return v, fmt.Errorf("no message in %x", v.Gob)
}

// playHostile attacks this process with a reply and a root worker with a box, and prints what it cost each.
func playHostile(name string) int {
	a := attacks()[name]
	err := func() error {
		args, err := a.entry.Arguments([]any{a.legit})
		if err != nil {
			return err
		}
		b, err := a.entry.Pack(context.Background(), args)
		if err != nil {
			return err
		}
		results, _, err := a.entry.Serve(context.Background(), b.Args, nil)
		if err != nil {
			return err
		}
		if _, err := a.entry.Unpack(&box.Reply{Results: results}); err != nil {
			return fmt.Errorf("the harmless reply: %w", err)
		}
		if results, err = forge(results, a.body()); err != nil {
			return err
		}
		if b.Args, err = forge(b.Args, a.body()); err != nil {
			return err
		}
		return errors.Join(attackNear(a, results), attackFar(a, b))
	}()
	if err != nil {
		fmt.Printf("%+v\n", err)
		return 1
	}
	return 0
}

func attackNear(a attack, results box.Values) error {
	before, err := startPeak()
	if err != nil {
		return err
	}
	_, refusal := a.entry.Unpack(&box.Reply{Results: results})
	after, err := memory()
	if err != nil {
		return err
	}
	return weigh("near", refusal, before, after, results.Size())
}

func attackFar(a attack, b *box.Box) error {
	s, err := delivery.Open(context.Background(), targetNamed("sudo").via, session.Options{Stderr: os.Stderr})
	if err != nil {
		return err
	}
	before, err := held.On(s)(true)
	if err != nil {
		return err
	}
	r, refusal := s.Deliver(context.Background(), b)
	if refusal == nil {
		refusal = r.Err()
	}
	after, err := held.On(s)(false)
	if err != nil {
		return fmt.Errorf("the worker did not survive: %w", err)
	}
	return errors.Join(weigh("far", refusal, before.Memory, after.Memory, b.Args.Size()), s.Close())
}

// weigh wants a refusal that is typed, and no more memory than 64 MiB and eight times the box.
func weigh(side string, refusal error, before, after Memory, size int64) error {
	more, limit := after.Peak-before.Now, int64(64<<20)+8*size
	fmt.Printf("%s: a box of %d bytes grew the memory by %s: %v\n", side, size, mib(more), refusal)
	var e *box.EncodingError
	switch {
	case !errors.As(refusal, &e):
		return fmt.Errorf("%s: no refusal with a type: %T %w", side, refusal, refusal)
	case more > limit && !raced:
		return fmt.Errorf("%s: the memory grew by %s, the limit is %s", side, mib(more), mib(limit))
	}
	return nil
}

// TestHostileBoxes has each attack made in a process of its own, which a success would end.
func TestHostileBoxes(t *testing.T) {
	st.NeedSudo(t)
	for name := range attacks() {
		t.Run(name, func(t *testing.T) {
			out, err := play(t, "hostile:"+name).CombinedOutput()
			text := string(out)
			if len(text) > 4000 {
				text = text[:4000] + "…"
			}
			t.Log(strings.TrimSpace(text))
			if err != nil {
				t.Error(err)
			}
		})
	}
}
