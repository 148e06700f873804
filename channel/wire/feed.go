package wire

import (
	"bufio"
	"io"
)

// feedSize is how much is read ahead: many small frames at once, but little of a large one, which is read to where it
// stays.
const feedSize = 16 << 10

// A feed reads the binary form.
type feed struct {
	from io.Reader
	buf  []byte // read ahead
	next []byte // the part of buf that was not used
	err  error  // what comes after next
}

// newFeed goes on where br has got to; raw is what br reads.
func newFeed(br *bufio.Reader, raw io.Reader) *feed {
	ahead, _ := br.Peek(br.Buffered())
	return &feed{from: raw, buf: make([]byte, feedSize), next: append([]byte(nil), ahead...)}
}

// newFeedOf begins to read r.
func newFeedOf(r io.Reader) *feed { return &feed{from: r, buf: make([]byte, feedSize)} }

// full fills p, as io.ReadFull does.
func (f *feed) full(p []byte) (int, error) {
	n := copy(p, f.next)
	f.next = f.next[n:]
	for n < len(p) {
		if f.err != nil {
			return n, short(n, f.err)
		}
		m := 0
		if len(p)-n >= len(f.buf) {
			m, f.err = f.from.Read(p[n:])
		} else {
			m, f.err = f.from.Read(f.buf)
			f.next = f.buf[:m]
			m = copy(p[n:], f.next)
			f.next = f.next[m:]
		}
		n += m
	}
	return n, nil
}

func short(n int, err error) error {
	if err == io.EOF && n > 0 {
		return io.ErrUnexpectedEOF
	}
	return err
}

// rest is what was not read.
func (f *feed) rest() io.Reader {
	if f.err != nil {
		return &ahead{f}
	}
	return io.MultiReader(&ahead{f}, f.from)
}

// ahead reads what a feed has read ahead.
type ahead struct{ f *feed }

func (a *ahead) Read(p []byte) (int, error) {
	if len(a.f.next) == 0 {
		if a.f.err != nil {
			return 0, a.f.err
		}
		return 0, io.EOF
	}
	n := copy(p, a.f.next)
	a.f.next = a.f.next[n:]
	return n, nil
}
