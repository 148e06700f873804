package box

import (
	"encoding/binary"
	"fmt"
	"time"
)

// A head is written field by field: numbers as varints, strings and lists behind their length. Gob would take longer to
// learn the types of a head than to carry it, in every process anew, and may allocate what its sender claims.

// A pen writes a head.
type pen struct{ out []byte }

func (p *pen) uint(n uint64) { p.out = binary.AppendUvarint(p.out, n) }
func (p *pen) int(n int64)   { p.out = binary.AppendVarint(p.out, n) }

func (p *pen) string(s string) {
	p.uint(uint64(len(s)))
	p.out = append(p.out, s...)
}

func (p *pen) bytes(b []byte) {
	p.uint(uint64(len(b)))
	p.out = append(p.out, b...)
}

func (p *pen) bool(b bool) {
	n := uint64(0)
	if b {
		n = 1
	}
	p.uint(n)
}

func (p *pen) time(t time.Time) {
	p.bool(!t.IsZero())
	if !t.IsZero() {
		p.int(t.UnixNano())
	}
}

func (p *pen) strings(list []string) {
	p.uint(uint64(len(list)))
	for _, s := range list {
		p.string(s)
	}
}

// An eye reads what a pen wrote, of a sender who may be hostile: it keeps the first thing that is wrong, and reads zeros
// from then on.
type eye struct {
	in  []byte
	why string
}

func (e *eye) fail(format string, args ...any) {
	if e.why == "" {
		e.why = fmt.Sprintf(format, args...)
	}
	e.in = nil
}

func (e *eye) uint() uint64 {
	n, size := binary.Uvarint(e.in)
	if size <= 0 {
		e.fail("it is cut, or holds a number that is none")
		return 0
	}
	e.in = e.in[size:]
	return n
}

func (e *eye) int() int64 {
	n, size := binary.Varint(e.in)
	if size <= 0 {
		e.fail("it is cut, or holds a number that is none")
		return 0
	}
	e.in = e.in[size:]
	return n
}

// small reads a number of 32 bits.
func (e *eye) small() uint32 {
	n := e.uint()
	if n > 1<<32-1 {
		e.fail("the number %d does not fit in 32 bits", n)
		return 0
	}
	return uint32(n)
}

func (e *eye) bool() bool { return e.uint() == 1 }

// raw reads bytes; they are part of the head.
func (e *eye) raw() []byte {
	n := e.uint()
	if n > uint64(len(e.in)) {
		e.fail("it announces %d bytes where %d follow", n, len(e.in))
		return nil
	}
	b := e.in[:n:n]
	e.in = e.in[n:]
	return b
}

func (e *eye) string() string { return string(e.raw()) }

// bytes reads bytes to keep; nil if there are none.
func (e *eye) bytes() []byte { return append([]byte(nil), e.raw()...) }

func (e *eye) time() time.Time {
	if !e.bool() {
		return time.Time{}
	}
	return time.Unix(0, e.int())
}

// count reads the length of a list whose items take at least one byte each.
func (e *eye) count(what string, limit int) int {
	n := e.uint()
	if n > uint64(limit) {
		e.fail("%d %s, more than the limit of %d", n, what, limit)
		return 0
	}
	if n > uint64(len(e.in)) {
		e.fail("it announces %d %s in %d bytes", n, what, len(e.in))
		return 0
	}
	return int(n)
}

func (e *eye) strings(what string, limit int) []string {
	n := e.count(what, limit)
	if n == 0 {
		return nil
	}
	list := make([]string, n)
	for i := range list {
		list[i] = e.string()
	}
	return list
}

// end reports what was wrong, bytes that nobody read included.
func (e *eye) end(what string) error {
	if e.why == "" && len(e.in) > 0 {
		e.why = fmt.Sprintf("%d bytes follow the head", len(e.in))
	}
	if e.why != "" {
		return &EncodingError{What: what, Why: e.why}
	}
	return nil
}
