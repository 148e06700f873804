package store

import (
	"errors"
	"io/fs"
	"os"
	"time"
)

const sweptFile = "swept"

// Expired reports whether a job has been there for as long as was ordered.
func (s *Status) Expired(now time.Time) bool {
	return s.Keep > 0 && s.Result != nil && now.Sub(s.Result.Ended) > s.Keep
}

// Due reports whether nobody has looked for expired jobs for so long. Who is told so should call [Store.Expire]: others are
// told that it is not due.
func (s *Store) Due(every time.Duration) bool {
	info, err := s.root.Lstat(sweptFile)
	if err == nil && time.Since(info.ModTime()).Abs() < every {
		return false
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false
	}
	f, err := s.root.OpenFile(sweptFile, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return false
	}
	defer f.Close()
	now := time.Now()
	return s.root.Chtimes(sweptFile, now, now) == nil
}

// Expire takes expired jobs away.
func (s *Store) Expire() error {
	return s.Jobs(func(j *Job, err error) bool {
		if err == nil {
			if st, err := j.Status(); err == nil && st.Expired(time.Now()) {
				_ = j.Remove()
			}
			j.Close()
		}
		return true
	})
}
