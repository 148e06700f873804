package askpass

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"time"
)

// A screen is a terminal at which a program asks, seen from where a person would sit.
//
// That a password is asked for shows in no word: the program has turned off the echo, as all do in any language, and waits.
// Where the echo is on, a line that is left unfinished for a while is a question, too: one-time codes are asked for like
// that. Once a process below has the id of another user, the program has let its caller in: whoever asks then is not the
// program, and gets no answer.
type screen struct {
	ours, theirs *os.File
	dir          string // of the desk
	pid          int    // of the program

	text   []byte    // what stands there since the last answer, at most maxScreen
	tail   []byte    // the end of all, at most maxScreen
	since  time.Time // when something came last
	hidden time.Time // since when the echo is off; zero if it is on
	fresh  bool      // since the last answer there was a word, or the echo

	mu    sync.Mutex // guards what follows
	until time.Time  // when reading ends; zero while the program runs
	hung  bool
}

const (
	glance    = 25 * time.Millisecond  // between two looks, while there may be a question
	silent    = 300 * time.Millisecond // how long the echo has to be off where no word stands
	hesitated = time.Second            // how long an unfinished line has to stand, with the echo on
	afterlife = 100 * time.Millisecond // for what was written to the terminal before the program ended
	maxScreen = 4 << 10                // bytes
	maxLines  = 20                     // that are told at the end
)

// watch answers what is asked until ctx or the terminal ends. The error is why there was no answer.
func (s *screen) watch(ctx context.Context) error {
	s.fresh = true
	buf := make([]byte, maxScreen)
	for asking := true; ; {
		s.allow(asking)
		n, err := s.ours.Read(buf)
		s.take(buf[:n])
		switch {
		case err == nil:
		case ctx.Err() != nil || !errors.Is(err, os.ErrDeadlineExceeded):
			return nil
		case s.vacant():
			asking = false // the worker is there, or nobody waits for it any more
		default:
			if err := s.look(ctx); err != nil {
				s.hangUp()
				return err
			}
		}
	}
}

// allow says how long the next read may take.
func (s *screen) allow(asking bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case !s.until.IsZero():
		_ = s.ours.SetReadDeadline(s.until)
	case asking:
		_ = s.ours.SetReadDeadline(time.Now().Add(glance))
	default:
		_ = s.ours.SetReadDeadline(time.Time{})
	}
}

// finish lets watch read what was written, and end. Another process may still have the terminal.
func (s *screen) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.until = time.Now().Add(afterlife)
	_ = s.ours.SetReadDeadline(s.until)
	s.theirs.Close()
}

// hangUp ends the terminal, and with it whoever waits for an answer there.
func (s *screen) hangUp() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.hung {
		s.hung = true
		s.theirs.Close()
		s.ours.Close()
	}
}

// vacant reports whether the desk has been taken away.
func (s *screen) vacant() bool { _, err := os.Lstat(s.dir); return err != nil }

// take adds what the program has written.
func (s *screen) take(p []byte) {
	if len(p) == 0 {
		return
	}
	s.text, s.tail = last(append(s.text, p...), maxScreen), last(append(s.tail, p...), maxScreen)
	s.since = time.Now()
	s.fresh = s.fresh || len(bytes.TrimSpace(p)) > 0
}

func last(p []byte, n int) []byte { return p[max(len(p)-n, 0):] }

// look answers if there is a question. It is called after a glance in which nothing came.
func (s *screen) look(ctx context.Context) error {
	echo, err := echoes(s.theirs)
	switch {
	case err != nil:
		return nil // it ends
	case echo:
		s.hidden, s.fresh = time.Time{}, true
	case s.hidden.IsZero():
		s.hidden = time.Now()
	}
	unfinished := len(bytes.TrimSpace(s.text[bytes.LastIndexByte(s.text, '\n')+1:])) > 0
	switch {
	case echo && (!unfinished || time.Since(s.since) < hesitated):
		return nil
	case !echo && (!s.fresh || !unfinished && time.Since(s.hidden) < silent):
		return nil
	case enters(s.pid):
		return nil
	}
	answer, err := askAt(ctx, s.dir, "", question(s.text))
	defer clear(answer)
	switch {
	case err != nil:
		return err
	case enters(s.pid):
		return errors.New("the question was not the program's own")
	}
	return s.answer(answer, echo)
}

// question is what stands there, as it is put to a person.
func question(text []byte) string {
	return strings.TrimLeft(strings.ReplaceAll(string(text), "\r\n", "\n"), "\r\n")
}

// answer types a line. It never shows.
func (s *screen) answer(line []byte, echo bool) error {
	if echo { // and it stays off: the system shows what is typed when it gets to it
		if err := silence(s.theirs); err != nil {
			return err
		}
	}
	keys := make([]byte, 0, 2*len(line))
	defer func() { clear(keys[:cap(keys)]) }()
	for i, c := range line {
		if (c < ' ' || c == del) && i < len(line)-1 {
			keys = append(keys, literally) // or the terminal would take it for a command
		}
		keys = append(keys, c)
	}
	s.text, s.fresh = nil, false
	_, err := s.ours.Write(keys)
	return err
}

// literally is Ctrl-V: the next key means itself.
const (
	literally = 0x16
	del       = 0x7f
)

// said is the last of what stood on the terminal.
func (s *screen) said() []byte {
	lines := bytes.SplitAfter(bytes.ReplaceAll(s.tail, []byte("\r"), nil), []byte("\n"))
	if len(lines[len(lines)-1]) == 0 {
		lines = lines[:len(lines)-1]
	}
	text := bytes.Join(lines[max(len(lines)-maxLines, 0):], nil)
	if len(bytes.TrimSpace(text)) == 0 {
		return nil
	}
	return append(bytes.TrimRight(text, "\n"), '\n')
}
