package store

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"time"
)

// unborn is how old a directory without a valid record has to be before it counts as rubbish.
const unborn = time.Minute

// Jobs calls f for each job, the oldest first; it has to close none of them. What it cannot read it passes on as an
// error, with the job's identifier in it, and goes on. Rubbish that was left behind is removed on the way.
func (s *Store) Jobs(f func(*Job, error) bool) error {
	d, err := s.root.Open(jobsDir)
	if err != nil {
		return failed(s.path, err)
	}
	entries, err := d.ReadDir(-1)
	d.Close()
	if err != nil && !errors.Is(err, io.EOF) {
		return failed(s.path, err)
	}
	sortEntries(entries)
	for _, e := range entries {
		if CheckID(e.Name()) != nil {
			if bytes.HasPrefix([]byte(e.Name()), []byte("gone.")) {
				_ = s.root.RemoveAll(path.Join(jobsDir, e.Name()))
			}
			if info, err := e.Info(); err == nil && bytes.HasPrefix([]byte(e.Name()), []byte("new.")) && time.Since(info.ModTime()) > unborn {
				_ = s.root.RemoveAll(path.Join(jobsDir, e.Name()))
			}
			continue
		}
		j, err := s.Find(e.Name())
		if errors.Is(err, ErrNotFound) {
			s.sweep(e)
			continue
		}
		if !f(j, err) {
			return nil
		}
	}
	return nil
}

// sweep removes a directory that never became a job, if whoever made it is gone.
func (s *Store) sweep(e fs.DirEntry) {
	info, err := e.Info()
	if err != nil || time.Since(info.ModTime()) < unborn {
		return
	}
	s.Clear(e.Name())
}
