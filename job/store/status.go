package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"
)

// Status reads how far the job is.
func (j *Job) Status() (*Status, error) {
	s := new(Status)
	err := readHead(j.Dir, recordFile, "record", &s.Record)
	if err == nil && s.ID != j.ID {
		err = fmt.Errorf("record: %w: it is that of job %.80q", ErrDamaged, s.ID)
	}
	if err != nil {
		return nil, notFound(j.ID, err)
	}
	s.Env = nil // may hold secrets
	for range 2 {
		kept, err := j.kept()
		if err != nil {
			return nil, err
		}
		if s.Result, err = j.outcome(); err != nil { // after the look at the lock: who ends writes first, then lets go
			return nil, err
		}
		begun := false
		if err := readHead(j.Dir, keeperFile, "keeper", &s.Keeper); err == nil {
			begun = true
		} else if !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("job %s: %w", j.ID, err)
		}
		s.Phase = phase(s, kept, begun)
		if s.Phase != Lost {
			break // a loss is looked at twice: between the looks somebody may have claimed it
		}
	}
	return s, nil
}

// outcome reads how the job ended; nil if it has not.
func (j *Job) outcome() (*Result, error) {
	r := new(Result)
	err := readHead(j.Dir, resultFile, "result", r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("job %s: %w", j.ID, err)
	}
	return r, nil
}

func phase(s *Status, kept, begun bool) Phase {
	switch {
	case s.Result != nil:
		return Ended
	case kept && begun && s.Keeper.Attempt > 0:
		return Running
	case kept || !begun && s.Queue != "":
		return Waiting
	}
	return Lost
}

// Begun reports whether somebody is about to order a job.
func (s *Store) Begun(id string) bool {
	if CheckID(id) != nil {
		return false
	}
	j, err := s.open(id)
	if err != nil {
		return false
	}
	defer j.Close()
	kept, err := j.kept()
	return kept && err == nil
}

// Clear removes what is left of a job that was never ordered, if whoever began it is gone.
func (s *Store) Clear(id string) bool {
	if CheckID(id) != nil {
		return false
	}
	j, err := s.open(id)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer j.Close()
	f, err := j.Dir.OpenFile(lockFile, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		return false
	}
	j.lock = f
	if _, err := j.Dir.Lstat(recordFile); err == nil {
		return false
	}
	return j.vanish() == nil
}

// Changed is when something in the directory last came or went.
func (j *Job) Changed() time.Time {
	info, err := j.Dir.Stat(".")
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// Kept reports whether somebody keeps the job, as far as that can be told.
func (j *Job) Kept() bool {
	kept, err := j.kept()
	return kept || err != nil && !errors.Is(err, ErrNotFound)
}

// kept reports whether somebody holds the lock.
func (j *Job) kept() (bool, error) {
	f, err := j.Dir.OpenFile(lockFile, os.O_RDWR, 0)
	if err != nil {
		return false, notFound(j.ID, err)
	}
	defer f.Close()
	return isLocked(f)
}
