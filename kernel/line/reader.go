package line

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Limits of what a Reader takes.
const (
	MaxLine    = 64 << 10 // bytes of a line, its line feed not counted
	MaxLines   = 1 << 20  // bytes of all lines of one command together: each of two may become a word
	MaxLiteral = 8 << 20  // bytes of all {N} of one command together
)

// A SizeError says that something is longer than it may be. What follows cannot be told from it: the connection has to end.
type SizeError struct {
	What      string // "line", "lines" or "literal"
	Size, Max int    // in bytes; Size is what was seen or announced so far
}

func (e *SizeError) Error() string {
	switch e.What {
	case "line":
		return fmt.Sprintf("a line has more than %d bytes; send long values as {N} and N bytes", e.Max)
	case "lines":
		return fmt.Sprintf("a command has lines of more than %d bytes; make several of it", e.Max)
	}
	return fmt.Sprintf("literals of %d bytes; there may be %d in a command", e.Size, e.Max)
}

// A Reader reads commands. After an error of its source, such as a time limit, it can go on where it was.
type Reader struct {
	r     io.Reader
	buf   []byte // what was read and not yet returned
	taken int    // of buf
	need  int    // bytes that the next command has at least; 0: until a line feed
	seen  int    // bytes after taken without a line feed

	// Room, if it is set, is asked before the buffer gets another size. An error of it is one of Fill, and the size stays.
	Room func(size int) error
}

// smallBuffer is what a Reader has while commands are short.
const smallBuffer = 4 << 10

// NewReader reads from r. The bytes of unread come first; they are those of Unread of an earlier Reader.
func NewReader(r io.Reader, unread []byte) *Reader {
	return &Reader{r: r, buf: append(make([]byte, 0, max(smallBuffer, len(unread))), unread...)}
}

// Unread is what was read and not yet returned. It is valid until the next call.
func (r *Reader) Unread() []byte { return r.buf[r.taken:] }

// Size is how many bytes the buffer has, in use or not.
func (r *Reader) Size() int { return cap(r.buf) }

// Partial reports whether a command has begun that is not complete.
func (r *Reader) Partial() bool { return r.taken < len(r.buf) }

// Ready reports whether Next would return without reading.
func (r *Reader) Ready() bool {
	rest := r.buf[r.taken:]
	return r.need == 0 && bytes.IndexByte(rest, '\n') >= 0 || r.need > 0 && len(rest) >= r.need
}

// Next is the words of the next command that is in the buffer; ok is false when it has to be filled first. An error of type
// *Error is about this command alone; after a *SizeError there is no next one.
func (r *Reader) Next() (words []string, ok bool, err error) {
	rest := r.buf[r.taken:]
	if len(rest) < r.need {
		return nil, false, nil
	}
	end, total, lines := 0, 0, 0
	for {
		skip := 0
		if end == 0 {
			skip = r.seen
		}
		n := bytes.IndexByte(rest[end+skip:], '\n')
		if n < 0 {
			if len(rest)-end > MaxLine {
				return nil, false, &SizeError{"line", len(rest) - end, MaxLine}
			}
			if end == 0 {
				r.seen = len(rest)
			} else {
				r.need = len(rest) + 1
			}
			return nil, false, nil
		}
		n += skip
		if n > MaxLine {
			return nil, false, &SizeError{"line", n, MaxLine}
		}
		if lines += n; lines > MaxLines {
			return nil, false, &SizeError{"lines", lines, MaxLines}
		}
		text := strings.TrimSuffix(string(rest[end:end+n]), "\r")
		end += n + 1
		more, literal, failed := Split(text)
		if failed != nil {
			if err == nil {
				err = failed
			}
			// What follows as {N} is skipped with the line: it must not be taken for commands.
			if literal = announced(text); literal == noLiteral {
				r.take(end)
				return nil, true, err
			}
		}
		words = append(words, more...)
		if literal == noLiteral {
			r.take(end)
			if err != nil {
				words = nil
			}
			return words, true, err
		}
		if total += literal; total > MaxLiteral {
			return nil, false, &SizeError{"literal", total, MaxLiteral}
		}
		if len(rest) < end+literal+1 {
			r.need = end + literal + 1
			return nil, false, nil
		}
		words = append(words, string(rest[end:end+literal]))
		end += literal
		if c := rest[end]; c != '\n' && c != '\r' && !blank(c) && err == nil {
			err = &Error{1, fmt.Sprintf("after a literal of %d bytes a blank or a line feed has to follow, not %q", literal, c)}
		}
	}
}

// take drops a command from the buffer.
func (r *Reader) take(n int) {
	r.taken, r.need, r.seen = r.taken+n, 0, 0
	if r.taken == len(r.buf) {
		r.buf, r.taken = r.buf[:0], 0
		if cap(r.buf) > smallBuffer {
			r.buf = make([]byte, 0, smallBuffer)
		}
	}
}

// Fill reads once. It returns the source's error; io.ErrUnexpectedEOF for an end within a command.
func (r *Reader) Fill() error {
	if r.taken > 0 && (r.taken >= cap(r.buf)/2 || len(r.buf) == cap(r.buf)) {
		r.buf, r.taken = r.buf[:copy(r.buf, r.buf[r.taken:])], 0
	}
	if len(r.buf) == cap(r.buf) {
		if err := r.grow(); err != nil {
			return err
		}
	}
	n, err := r.r.Read(r.buf[len(r.buf):cap(r.buf)])
	r.buf = r.buf[:len(r.buf)+n]
	if n > 0 {
		return nil
	}
	if err == io.EOF && r.Partial() {
		return io.ErrUnexpectedEOF
	}
	return err
}

// grow makes the buffer twice as long, or as long as a literal that was announced needs it: what is announced alone takes
// no memory.
func (r *Reader) grow() error {
	size := 2 * cap(r.buf)
	if most := r.need + smallBuffer; r.need > cap(r.buf) && most < size {
		size = most
	}
	if r.Room != nil {
		if err := r.Room(size); err != nil {
			return err
		}
	}
	r.buf = append(make([]byte, 0, size), r.buf...)
	return nil
}

// Read is Next, and Fill for as long as that is needed.
func (r *Reader) Read() (words []string, err error) {
	for {
		words, ok, err := r.Next()
		if ok || err != nil {
			return words, err
		}
		if err := r.Fill(); err != nil {
			return nil, err
		}
	}
}

// announced is the N of a line that ends with {N}, whatever is before it.
func announced(text string) int {
	if at := strings.LastIndexByte(text, '{'); at >= 0 {
		if n, ok := literalOf(text[at:]); ok {
			return n
		}
	}
	return noLiteral
}
