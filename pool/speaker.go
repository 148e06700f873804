package pool

import (
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// A speaker writes to a client who may stop reading: a write of which nothing is taken for as long as its patience fails with
// errDeaf. It is for one writer at a time.
type speaker struct {
	to interface {
		io.Writer
		SetWriteDeadline(t time.Time) error
	}
	patience time.Duration

	mu  sync.Mutex // guards end
	end time.Time  // when writes fail, whoever reads; zero: never
}

func (s *speaker) Write(p []byte) (n int, err error) {
	for {
		s.arm()
		m, err := s.to.Write(p[n:])
		switch n += m; {
		case !errors.Is(err, os.ErrDeadlineExceeded) || s.over():
			return n, err
		case m == 0:
			return n, errDeaf
		}
	}
}

// arm lets a write begin.
func (s *speaker) arm() {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := time.Now().Add(s.patience)
	if !s.end.IsZero() && s.end.Before(limit) {
		limit = s.end
	}
	_ = s.to.SetWriteDeadline(limit)
}

// over reports whether writes fail by now.
func (s *speaker) over() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.end.IsZero() && !time.Now().Before(s.end)
}

// hurry has writes fail after a time, those that have begun too.
func (s *speaker) hurry(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	end := time.Now().Add(d)
	if s.end.IsZero() || end.Before(s.end) {
		s.end = end
		_ = s.to.SetWriteDeadline(end)
	}
}
