package plain

import (
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// A Writer passes on what is written to it as [Text] would show it, character by character: bytes of a character that
// is not complete yet wait for the rest, and so does a CR for the LF that may follow. [Writer.Flush] ends the stream.
// It may be used from many goroutines at once.
type Writer struct {
	mu      sync.Mutex // guards pending, and keeps one write in one piece
	w       io.Writer
	pending []byte // fewer than utf8.UTFMax bytes
}

// NewWriter returns a Writer to w.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write passes p on. It reports all of p as written or an error; how much of it came out is not known then.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := string(append(w.pending, p...))
	keep := incomplete(all)
	w.pending = []byte(all[len(all)-keep:])
	if err := w.put(all[:len(all)-keep]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush passes on what was waiting for more.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	rest := string(w.pending)
	w.pending = nil
	return w.put(rest)
}

func (w *Writer) put(s string) error {
	if s == "" {
		return nil
	}
	_, err := io.WriteString(w.w, Text(s))
	return err
}

// incomplete is how many bytes at the end of s have to wait for more.
func incomplete(s string) int {
	if strings.HasSuffix(s, "\r") {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(s); n++ {
		if tail := s[len(s)-n:]; utf8.RuneStart(tail[0]) {
			if utf8.FullRuneInString(tail) {
				return 0
			}
			return n
		}
	}
	return 0
}
