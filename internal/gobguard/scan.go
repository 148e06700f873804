package gobguard

import (
	"fmt"
	"reflect"
)

// A scan is one reading of a stream.
type scan struct {
	*Guard
	in     []byte
	at     int
	limit  int // of the message that is read
	types  table
	closed bool // no more types may be defined
	budget int64
	depth  int
	err    error
}

func (g *Guard) scan(in []byte, types table) *scan {
	return &scan{Guard: g, in: in, limit: len(in), types: types, budget: g.options.Budget + 8*int64(len(in))}
}

func (s *scan) fail(format string, args ...any) {
	if s.err == nil {
		s.err = &Error{Why: fmt.Sprintf(format, args...), Offset: s.at}
	}
	s.at = s.limit
}

// end reports the first thing that was wrong, bytes that nobody read included.
func (s *scan) end() error {
	if s.err == nil && s.at < len(s.in) {
		s.fail("%d bytes follow the value", len(s.in)-s.at)
	}
	return s.err
}

// message reads one message, and returns its first number: negative for the definition of a type.
func (s *scan) message() int64 {
	s.begin()
	id := s.int()
	switch {
	case s.err != nil:
		return 0
	case id < 0:
		s.define(-id)
	default:
		s.top(id, s.into)
	}
	if s.at < s.limit {
		s.fail("%d bytes follow in the message", s.limit-s.at)
	}
	s.limit = len(s.in)
	return id
}

// begin reads the length of a message, which nothing in it goes beyond.
func (s *scan) begin() {
	if s.err != nil {
		return
	}
	s.limit = len(s.in)
	n := s.uint()
	if n > uint64(len(s.in)-s.at) {
		s.fail("a message of %d bytes where %d follow", n, len(s.in)-s.at)
		return
	}
	s.limit = s.at + int(n)
}

// top reads a value that stands alone, as a message or in an interface: one that is no struct is behind a zero.
func (s *scan) top(id int64, into reflect.Type) {
	if t := s.types[id]; t == nil || t.kind != structure {
		if n := s.uint(); n != 0 {
			s.fail("the number %d before a value that is no struct; gob writes 0", n)
		}
	}
	s.value(id, into)
}

// uint reads a number as gob writes it: one byte, or the negated count of bytes and these.
func (s *scan) uint() uint64 {
	if s.at >= s.limit {
		s.fail("it is cut")
		return 0
	}
	b := s.in[s.at]
	if b < 0x80 {
		s.at++
		return uint64(b)
	}
	n := -int(int8(b))
	if n > 8 || s.at+1+n > s.limit {
		s.fail("a number of %d bytes where %d follow", n, s.limit-s.at-1)
		return 0
	}
	var u uint64
	for _, c := range s.in[s.at+1 : s.at+1+n] {
		u = u<<8 | uint64(c)
	}
	s.at += 1 + n
	return u
}

func (s *scan) int() int64 {
	u := s.uint()
	if u&1 != 0 {
		return ^int64(u >> 1)
	}
	return int64(u >> 1)
}

// count reads how many things follow, of which each takes some bytes at least.
func (s *scan) count(each int, what string) int {
	n := s.uint()
	if n > uint64(s.limit-s.at)/uint64(each) {
		s.fail("%d %s where %d bytes follow", n, what, s.limit-s.at)
		return 0
	}
	return int(n)
}

func (s *scan) skip(n int) { s.at += n }

func (s *scan) name() string {
	n := s.count(1, "bytes of a name")
	if n > maxName {
		s.fail("a name of %d bytes, more than the limit of %d", n, maxName)
		return ""
	}
	name := string(s.in[s.at : s.at+n])
	s.at += n
	return name
}

// structure reads the fields of a struct: each behind its distance from the one before, and a zero at the end.
func (s *scan) structure(field func(n int)) {
	for at := -1; s.err == nil; {
		delta := s.uint()
		if delta == 0 {
			return
		}
		if delta > maxFields || at+int(delta) > maxFields {
			s.fail("field %d steps further", delta)
			return
		}
		at += int(delta)
		field(at)
	}
}

// take counts memory against the budget.
func (s *scan) take(n, size int64) {
	if size > 0 && n > s.budget/size {
		s.fail("decoding it would take more than %d bytes", s.options.Budget+8*int64(len(s.in)))
		return
	}
	s.budget -= n * size
}

// sizeOf is what a value of a type takes; nothing if it is only skipped.
func sizeOf(t reflect.Type) int64 {
	if t == nil {
		return 0
	}
	return int64(t.Size())
}
