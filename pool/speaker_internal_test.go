package pool

import (
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"
)

// A listener takes some bytes of each write, and is silent when it has had enough.
type listener struct {
	takes []int
	ends  []time.Time
}

func (l *listener) SetWriteDeadline(t time.Time) error { l.ends = append(l.ends, t); return nil }

func (l *listener) Write(p []byte) (int, error) {
	if len(l.takes) == 0 {
		return 0, os.ErrDeadlineExceeded
	}
	n := min(l.takes[0], len(p))
	l.takes = l.takes[1:]
	if n < 0 {
		return 0, io.ErrClosedPipe
	}
	if n < len(p) {
		return n, os.ErrDeadlineExceeded
	}
	return n, nil
}

// Who takes something, however little, is not deaf.
func TestSpeaker(t *testing.T) {
	for name, c := range map[string]struct {
		takes []int
		n     int
		err   error
		armed int
	}{
		"at once":       {[]int{10}, 10, nil, 1},
		"in pieces":     {[]int{1, 2, 3, 4}, 10, nil, 4},
		"nothing":       {nil, 0, errDeaf, 1},
		"some, then no": {[]int{3}, 3, errDeaf, 2},
		"gone":          {[]int{3, -1}, 3, io.ErrClosedPipe, 2},
	} {
		t.Run(name, func(t *testing.T) {
			l := &listener{takes: c.takes}
			s := speaker{to: l, patience: time.Minute}
			n, err := s.Write(make([]byte, 10))
			if n != c.n || !errors.Is(err, c.err) || len(l.ends) != c.armed {
				t.Errorf("%d, %v, armed %d times", n, err, len(l.ends))
			}
			if slices.ContainsFunc(l.ends, func(end time.Time) bool { return time.Until(end) > time.Minute }) {
				t.Errorf("%s", l.ends)
			}
		})
	}
}

// What is in a hurry has no more than that, and is not called deaf.
func TestSpeakerInAHurry(t *testing.T) {
	l := &listener{takes: []int{3}}
	s := speaker{to: l, patience: time.Minute}
	s.hurry(0)
	s.hurry(time.Hour)
	n, err := s.Write(make([]byte, 10))
	if n != 3 || errors.Is(err, errDeaf) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%d, %v", n, err)
	}
	if slices.ContainsFunc(l.ends, func(end time.Time) bool { return time.Until(end) > 0 }) {
		t.Errorf("%s", l.ends)
	}
}
