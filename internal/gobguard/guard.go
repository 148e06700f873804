// Package gobguard looks at gob bytes before encoding/gob does.
//
// encoding/gob is not made for hostile input: a stream of 60 bytes may claim a map of a hundred million entries, which gob
// allocates before it reads the first; one of 10 KB, decoded into a slice of large structs, takes gigabytes; deep nesting
// overflows the stack, which ends the process. A Guard reads a stream once, without allocating what it claims, and
// refuses what is not well formed, what claims more than its bytes can hold, what is nested too deep, and what would make
// gob allocate more than a budget. What passes may still be an error for gob, but a harmless one.
package gobguard

import (
	"fmt"
	"reflect"
	"sync"
)

// The defaults of Options.
const (
	DefaultDepth  = 64
	DefaultBudget = 64 << 20
)

// Options are how much a stream may do. The zero value is the default.
type Options struct {
	Depth  int                               // values within values; 0: DefaultDepth
	Budget int64                             // bytes that decoding may allocate, besides 8 for each byte of the stream; 0: DefaultBudget
	Allow  func(string) (reflect.Type, bool) // what an interface may hold, by its name in gob; nil: nothing
}

// A Guard checks streams that are to be decoded into values of one type. It is safe for concurrent use.
type Guard struct {
	into    reflect.Type
	options Options
	fields  sync.Map // of reflect.Type to map[string]reflect.Type: the exported fields of structs
}

// New returns a guard for values of type t.
func New(t reflect.Type, o Options) *Guard {
	if o.Depth <= 0 {
		o.Depth = DefaultDepth
	}
	if o.Budget <= 0 {
		o.Budget = DefaultBudget
	}
	return &Guard{into: t, options: o}
}

// An Error says what is wrong with a stream.
type Error struct {
	Why    string
	Offset int // in the stream
}

func (e *Error) Error() string { return fmt.Sprintf("gobguard: at byte %d: %s", e.Offset, e.Why) }

// Check reports what is wrong with a stream that an encoder wrote for one value: definitions of types, and the value.
func (g *Guard) Check(stream []byte) error {
	s := g.scan(stream, table{})
	for s.err == nil {
		if s.message() >= 0 {
			break
		}
	}
	return s.end()
}

// A Checked is the definitions that a decoder has read, or will read before the values. It is safe for concurrent use.
type Checked struct {
	guard *Guard
	types table
}

// Types reports what is wrong with definitions of types, without a value, and keeps them.
func (g *Guard) Types(definitions []byte) (*Checked, error) {
	s := g.scan(definitions, table{})
	for s.err == nil && s.at < len(s.in) {
		if s.message() >= 0 {
			s.fail("a value among definitions of types")
		}
	}
	if err := s.end(); err != nil {
		return nil, err
	}
	return &Checked{guard: g, types: s.types}, nil
}

// Check reports what is wrong with the message of one value, of types that are known.
func (c *Checked) Check(value []byte) error {
	s := c.guard.scan(value, c.types)
	s.closed = true
	if s.message() < 0 {
		s.fail("the definition of a type where a value is expected")
	}
	return s.end()
}
