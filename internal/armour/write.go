package armour

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"
	"sync"
)

// chunk is how much goes to the writer at once: whole lines, as many as fit in a pipe's buffer. Somebody else who
// writes to the same terminal can then come between two chunks, but hardly between the characters of a line.
const chunk = 64 << 10

// Write writes one block that holds the pieces of payload in a row, with few large calls of w.Write: one if the block is
// small. The label is upper-case words, at most 32 characters.
func Write(w io.Writer, label string, nonce Nonce, payload ...[]byte) error {
	if err := checkLabel(label); err != nil {
		return fmt.Errorf("armour: write a block: %w", err)
	}
	if !nonce.Valid() {
		return fmt.Errorf("armour: write a %s block: nonce %s is reserved", label, nonce)
	}
	e := encoders.Get().(*encoder)
	defer encoders.Put(e)
	e.reset(w)
	e.marker("BEGIN", label, nonce)
	header := header(payload)
	e.feed(header[:])
	for _, p := range payload {
		e.feed(p)
	}
	e.line(e.rest[:e.pending])
	e.marker("END", label, nonce)
	e.flush()
	if err := e.err; err != nil {
		return fmt.Errorf("armour: write a %s block: %w", label, err)
	}
	return nil
}

// header is the payload's length, and the checksum over that and the payload.
func header(payload [][]byte) (h [headerBytes]byte) {
	length := uint64(0)
	for _, p := range payload {
		length += uint64(len(p))
	}
	binary.BigEndian.PutUint64(h[:8], length)
	sum := crc32.Update(0, crc32.IEEETable, h[:8])
	for _, p := range payload {
		sum = crc32.Update(sum, crc32.IEEETable, p)
	}
	binary.BigEndian.PutUint32(h[8:], sum)
	return h
}

var encoders = sync.Pool{New: func() any {
	return &encoder{codec: tables(), text: make([]byte, 0, chunk)}
}}

// encoder turns bytes into lines. It keeps the first error and drops everything after it.
type encoder struct {
	*codec
	w       io.Writer
	text    []byte          // what w gets next
	rest    [lineBytes]byte // the beginning of a line that is not full
	pending int             // how much of rest is in use
	err     error
}

func (e *encoder) reset(w io.Writer) { e.w, e.text, e.pending, e.err = w, e.text[:0], 0, nil }

func (e *encoder) marker(which, label string, nonce Nonce) {
	e.room(maxMarker + 1)
	e.text = fmt.Appendf(e.text, "=====%s %s %d %x=====\n", which, label, Version, nonce[:])
}

func (e *encoder) feed(p []byte) {
	if e.pending > 0 {
		n := copy(e.rest[e.pending:], p)
		p, e.pending = p[n:], e.pending+n
		if e.pending < lineBytes {
			return
		}
		e.line(e.rest[:])
		e.pending = 0
	}
	for ; len(p) >= lineBytes && e.err == nil; p = p[lineBytes:] {
		e.line(p[:lineBytes])
	}
	e.pending = copy(e.rest[:], p)
}

// line writes at most lineBytes bytes as one line.
func (e *encoder) line(p []byte) {
	if len(p) == 0 {
		return
	}
	e.room(lineChars + 1)
	start := len(e.text)
	e.text = e.text[:start+(len(p)+2)/3*4]
	e.encode(e.text[start:], p)
	e.text = append(e.text, '\n')
}

func (e *encoder) room(n int) {
	if len(e.text)+n > cap(e.text) {
		e.flush()
	}
}

func (e *encoder) flush() {
	if e.err == nil {
		_, e.err = e.w.Write(e.text)
	}
	e.text = e.text[:0]
}
