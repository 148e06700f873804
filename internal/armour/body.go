package armour

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"slices"
)

// body is what stands between two markers, as far as it is read. A line goes in whole or not at all: one that is not
// pure base64, or that brings more than the header announced, is noise and leaves no trace.
type body struct {
	*codec
	max int64

	head     [headerChars]byte // the header's characters
	headSize int
	want     int64 // the payload's length; valid once the header is whole
	sum      uint32

	out       []byte
	carry     [4]byte // the beginning of a group that the last line left
	carrySize int

	skipped     bool // a line between the markers was noise; the first one was this
	skippedAt   int64
	skippedText string
}

// upFront is what a length alone may make a reader allocate; beyond that the data must come first.
const upFront = 64 << 20

// absurd is a length that no writer announces: what looks like a header is a line of noise.
const absurd = 1 << 48

// take takes a line without its newline, and says whether it was data. The error says that the payload will be too long.
func (b *body) take(line []byte) (bool, error) {
	data := line
	for len(data) > 0 && data[len(data)-1] == '=' && len(line)-len(data) < 2 {
		data = data[:len(data)-1]
	}
	padded := len(data) < len(line)
	if b.headSize == headerChars {
		return b.add(data, padded), nil
	}
	if !b.pure(data) {
		return false, nil
	}
	n := copy(b.head[b.headSize:], data)
	if b.headSize += n; b.headSize < headerChars {
		return true, nil
	}
	ok, err := b.header()
	if err == nil && !ok && n < headerChars { // short noise came before: the header may begin here
		n = copy(b.head[:], data)
		if b.headSize = n; n == headerChars {
			ok, err = b.header()
		}
	}
	if !ok || err != nil {
		b.headSize = 0
		return false, err
	}
	return n == len(data) || b.add(data[n:], padded), nil
}

// header reads the payload's length and checksum, and makes room. It is not ok if this cannot be a header.
func (b *body) header() (ok bool, err error) {
	var h [headerBytes]byte
	b.decode(h[:], b.head[:])
	length := binary.BigEndian.Uint64(h[:8])
	if length >= absurd {
		return false, nil
	}
	if length > uint64(b.max) {
		return false, fmt.Errorf("the payload is %d bytes, more than the limit of %d", length, b.max)
	}
	b.want, b.sum = int64(length), binary.BigEndian.Uint32(h[8:])
	if b.want+8 > int64(cap(b.out)) {
		b.out = make([]byte, 0, min(b.want, upFront)+8)
	}
	return true, nil
}

// add decodes the characters of one line; padded says that padding followed them.
func (b *body) add(data []byte, padded bool) bool {
	chars, missing := b.carrySize+len(data), b.want-int64(len(b.out))
	groups, left := int64(chars/4)*3, chars%4
	partial := int64(max(left-1, 0))
	complete := groups+partial == missing && left != 1
	if missing == 0 || groups+partial > missing || padded && !complete || groups == missing && left > 0 {
		return false
	}
	if b.carrySize > 0 {
		if !b.pure(data) {
			return false
		}
		n := copy(b.carry[b.carrySize:], data)
		data = data[n:]
		if b.carrySize += n; b.carrySize == 4 {
			b.group(3)
		}
	}
	whole := len(data) &^ 3
	b.out = slices.Grow(b.out, whole/4*3+8)
	if !b.decode(b.out[len(b.out):cap(b.out)], data[:whole]) || !b.pure(data[whole:]) {
		return false
	}
	b.out = b.out[:len(b.out)+whole/4*3]
	b.carrySize += copy(b.carry[b.carrySize:], data[whole:])
	if complete && b.carrySize > 0 {
		b.group(b.carrySize - 1)
	}
	return true
}

// group decodes the carry, of which n bytes count.
func (b *body) group(n int) {
	for ; b.carrySize < 4; b.carrySize++ {
		b.carry[b.carrySize] = 'A'
	}
	var three [3]byte
	b.decode(three[:], b.carry[:])
	b.out = append(b.out, three[:n]...)
	b.carrySize = 0
}

// payload returns what was announced, if it is all there and the checksum is right.
func (b *body) payload() ([]byte, error) {
	if b.headSize < headerChars || int64(len(b.out)) < b.want {
		return nil, fmt.Errorf("%w: got %s", ErrTruncated, b.progress())
	}
	var length [8]byte
	binary.BigEndian.PutUint64(length[:], uint64(b.want))
	sum := crc32.Update(crc32.Update(0, crc32.IEEETable, length[:]), crc32.IEEETable, b.out)
	if sum != b.sum {
		return nil, fmt.Errorf("%w: got %08x, want %08x over %d bytes", ErrChecksum, sum, b.sum, b.want)
	}
	return b.out, nil
}

// progress is how far the payload has come, for people to read.
func (b *body) progress() string {
	if b.headSize < headerChars {
		return fmt.Sprintf("%d of the %d characters of the header", b.headSize, headerChars)
	}
	return fmt.Sprintf("%d of %d bytes", len(b.out), b.want)
}
