package value

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel/event"
)

// Open opens the store in a directory, which has to be there. Log gets what was wrong with the journal, never a value; events
// hears of changes, and may be nil.
func Open(dir string, log *slog.Logger, events *event.Hub) (*Store, error) {
	s := &Store{dir: dir, opened: time.Now(), log: log, events: events, values: map[key]entry{}, usage: map[int]usage{}}
	path := filepath.Join(dir, "values")
	j, err := openJournal(path)
	if err != nil {
		return nil, fmt.Errorf("kernel: values: %w", err)
	}
	s.journal = j
	now := time.Now().UnixNano()
	s.damage, err = j.load(func(r record) { s.keep(r, now) })
	if err == nil && j.sealed == nil {
		if err = s.setAside(s.damage); passing(err) {
			s.journal.sealed, err = err, nil
		}
	}
	if err != nil {
		s.journal.close()
		return nil, fmt.Errorf("kernel: values: %s: %w", path, err)
	}
	if s.journal.sealed != nil {
		log.Error("values can be read, and not changed", "error", s.journal.sealed)
	} else if s.journal.old() {
		s.rewrite()
	}
	s.syncer = newSyncer(s.held, func(err error) { log.Error("values would not survive a crash of the machine", "error", err) })
	return s, nil
}

// unseal makes the journal one that can be written to, if it is none. It is tried with each change.
func (s *Store) unseal() error {
	if s.journal.sealed == nil {
		return nil
	}
	err := s.journal.reopen(filepath.Join(s.dir, "values"))
	if err == nil {
		err = s.setAside(s.damage)
	}
	if err == nil {
		s.damage = report{}
		s.log.Info("values can be changed again")
		if s.journal.old() {
			s.rewrite()
		}
	}
	s.journal.sealed = err
	return err
}

func (s *Store) held() (*os.File, func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.journal.hold()
}

// setAside saves what of the journal cannot be used. It has to be dropped from the journal, or the next record would follow
// what nobody can read.
func (s *Store) setAside(r report) error {
	if len(r.bad) == 0 {
		return nil
	}
	path := filepath.Join(s.dir, "values.bad")
	if r.torn {
		s.log.Warn("the journal of values ended within a record, which is dropped", "bytes", len(r.bad), "kept", path)
	} else {
		s.log.Error("the journal of values has damaged records, which are put aside", "bytes", len(r.bad), "kept", path)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(r.bad)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return s.compact()
}
