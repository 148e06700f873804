package armour

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// A Scanner finds blocks with one label and one nonce in a stream, whatever stands around and between their lines.
// Everything else is noise: text before a marker on the same line, lines that are not base64, blocks with another label
// or nonce. A block that is begun again before it ends starts anew. Blank lines, spaces at the ends of a line and
// carriage returns do not matter, nor does the length of a line up to 64 KiB.
//
// It takes time and memory in proportion to its input, and consumes nothing beyond the newline of an end marker: the
// reader stands there when Next returns, so a binary stream may follow a block.
type Scanner struct {
	Max   int64     // largest payload in bytes; 0 means DefaultMax
	Noise io.Writer // gets the noise as it comes; nil drops it. Its errors are ignored

	r          *bufio.Reader
	label      string
	nonce      Nonce
	begin, end []byte // "=====BEGIN LABEL ", and the end marker that the block in hand needs
	found      Nonce  // of the block in hand
	at, start  int64  // bytes consumed so far; where the block in hand began
	cut        bool   // the line in hand has lost its beginning: it was too long
	err        error  // what ended the input
}

// NewReader returns a reader with the buffer that a [Scanner] wants; r itself if it is one already.
func NewReader(r io.Reader) *bufio.Reader { return bufio.NewReaderSize(r, 64<<10) }

// NewScanner returns a scanner for the blocks in r; see [NewReader]. The nonce may be [Any].
func NewScanner(r *bufio.Reader, label string, nonce Nonce) *Scanner {
	s := &Scanner{r: r, label: label, nonce: nonce, begin: []byte("=====BEGIN " + label + " ")}
	switch {
	case nonce == Nonce{}:
		s.err = errors.New("the zero nonce is none")
	case r.Size() < 4096:
		s.err = fmt.Errorf("a buffer of %d bytes; it takes 4096", r.Size())
	default:
		s.err = checkLabel(label)
	}
	return s
}

// Nonce is the nonce of the block that Next found last.
func (s *Scanner) Nonce() Nonce { return s.found }

// Span is where the block that Next found last began and ended, in bytes from where the scanner began: from the first
// byte of its begin marker to behind the newline of its end marker.
func (s *Scanner) Span() (start, end int64) { return s.start, s.at }

// Next returns the payload of the next complete block, in buf if it has the room.
//
// The error is io.EOF if the input ends without another block, an *[Error] if the next block is bad, and otherwise the
// reader's. After an *Error other than [ErrUnfinished] the scanner may be asked for the block after it.
func (s *Scanner) Next(buf []byte) ([]byte, error) {
	var b *body
	for {
		line, whole, err := s.peek()
		if err != nil {
			return nil, s.ended(b, err)
		}
		if b != nil && whole && !s.cut {
			took, err := s.take(b, line)
			if err != nil {
				return nil, err
			}
			if took {
				s.discard(len(line))
				continue
			}
		}
		m, found := s.find(line, b != nil)
		if !found {
			s.skip(b, line, whole)
			continue
		}
		if err := s.before(b, m.at); err != nil {
			return nil, err
		}
		s.discard(m.size)
		if m.end {
			s.newline()
			return s.finish(b)
		}
		s.found, s.start = m.nonce, s.at-int64(m.size)
		if m.version != Version {
			return nil, s.bad(s.start, ErrVersion, fmt.Sprintf("this program speaks %d, not %d", Version, m.version))
		}
		s.end = fmt.Appendf(nil, "=====END %s %d %x=====", s.label, Version, s.found[:])
		b = &body{codec: tables(), max: s.max(), out: buf[:0]}
	}
}

func (s *Scanner) max() int64 {
	if s.Max > 0 {
		return s.Max
	}
	return DefaultMax
}

// peek returns the next line with its newline, without consuming it; whole is false if it does not fit the buffer. The
// last line may lack its newline. The error comes alone, when the input is used up.
func (s *Scanner) peek() (line []byte, whole bool, err error) {
	for searched := 0; ; {
		line, _ = s.r.Peek(s.r.Buffered())
		if i := bytes.IndexByte(line[searched:], '\n'); i >= 0 {
			return line[:searched+i+1], true, nil
		}
		if searched = len(line); searched == s.r.Size() {
			return line, false, nil
		}
		if s.err == nil {
			_, s.err = s.r.Peek(searched + 1)
		} else if searched > 0 {
			return line, true, nil
		} else {
			return nil, false, s.err
		}
	}
}

func (s *Scanner) discard(n int) {
	n, _ = s.r.Discard(n) // it was peeked at, so it is there
	s.at += int64(n)
}

// newline consumes the end of an end marker's line, also one that a terminal has written as \r\n or \r\r\n.
func (s *Scanner) newline() {
	for range 4 {
		c, err := s.r.Peek(1)
		if err != nil || c[0] != '\r' && c[0] != '\n' {
			return
		}
		newline := c[0] == '\n'
		if s.discard(1); newline {
			return
		}
	}
}

// take gives a line to the block, and says whether it was data. A blank line counts as data.
func (s *Scanner) take(b *body, line []byte) (bool, error) {
	text := bytes.Trim(line, " \t\r\n")
	if len(text) == 0 {
		return true, nil
	}
	took, err := b.take(text)
	if err != nil {
		return false, s.bad(s.at, ErrTooLong, err.Error())
	}
	return took, nil
}

// before handles the n bytes before a marker on the same line: they are a line of their own.
func (s *Scanner) before(b *body, n int) error {
	line, _ := s.r.Peek(n)
	if n > 0 && b != nil && !s.cut {
		took, err := s.take(b, line)
		if err != nil {
			return err
		}
		if took {
			s.discard(n)
			return nil
		}
	}
	if n > 0 {
		s.skip(b, line, true)
	}
	s.cut = false
	return nil
}

// skip consumes a line that is noise; of one that is not whole it leaves what may be the beginning of a marker.
func (s *Scanner) skip(b *body, line []byte, whole bool) {
	if b != nil && !b.skipped {
		b.skipped, b.skippedAt, b.skippedText = true, s.at, fmt.Sprintf("%.80q", line[:min(len(line), 80)])
	}
	if !whole {
		line = line[:len(line)-maxMarker]
	}
	s.cut = !whole
	if s.Noise != nil {
		_, _ = s.Noise.Write(line)
	}
	s.discard(len(line))
}

// finish returns the payload of a block whose end marker is there.
func (s *Scanner) finish(b *body) ([]byte, error) {
	at := s.start
	payload, err := b.payload()
	if err == nil {
		return payload, nil
	}
	why := err.Error()
	if b.skipped && errors.Is(err, ErrTruncated) {
		at = b.skippedAt
		why += ", and this line was skipped: " + b.skippedText
		err = errors.Join(err, ErrBase64)
	}
	return nil, s.bad(at, err, why)
}

// ended says what the end of the input means.
func (s *Scanner) ended(b *body, err error) error {
	switch {
	case b == nil && err == io.EOF:
		return io.EOF
	case err == io.EOF:
		return s.bad(s.at, ErrUnfinished, fmt.Sprintf("the input ends and the end marker is missing: got %s", b.progress()))
	default:
		return fmt.Errorf("armour: scan for a %s block: %w", s.label, err)
	}
}

func (s *Scanner) bad(at int64, kind error, why string) error {
	return &Error{Label: s.label, Offset: at, Why: why, Err: kind}
}
