package value

import (
	"errors"
	"fmt"
	"os"
	"sync"
	"time"
)

// A syncer brings the journal to the disk, once for all who wait at the time.
type syncer struct {
	file   func() (*os.File, func()) // the journal's, and what to call when it is not needed any more
	failed func(error)               // hears of what nobody waited for

	mu      sync.Mutex // guards what follows
	waiting []chan error
	dirty   bool

	wake    chan struct{} // somebody waits
	touched chan struct{} // something was appended
	quit    chan struct{}
	over    sync.WaitGroup
}

func newSyncer(file func() (*os.File, func()), failed func(error)) *syncer {
	s := &syncer{file: file, failed: failed, wake: make(chan struct{}, 1), touched: make(chan struct{}, 1), quit: make(chan struct{})}
	s.over.Go(s.run)
	return s
}

// soon has what was appended on the disk within SyncEvery.
func (s *syncer) soon() {
	s.mu.Lock()
	was := s.dirty
	s.dirty = true
	s.mu.Unlock()
	if !was {
		nudge(s.touched)
	}
}

var errClosed = errors.New("kernel: values: the store is closed")

// wait returns when what was appended before it is on the disk.
func (s *syncer) wait() error {
	done := make(chan error, 1)
	s.mu.Lock()
	s.waiting = append(s.waiting, done)
	s.mu.Unlock()
	nudge(s.wake)
	select {
	case err := <-done:
		return err
	case <-s.quit:
		return errClosed
	}
}

func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (s *syncer) run() {
	timer := time.NewTimer(0)
	<-timer.C
	for {
		select {
		case <-s.touched:
			timer.Reset(SyncEvery)
		case <-s.wake:
			_ = s.sync()
		case <-timer.C:
			if err := s.sync(); err != nil {
				s.failed(err)
			}
		case <-s.quit:
			timer.Stop()
			return
		}
	}
}

// sync brings everything to the disk that was appended before, and tells those who wait.
func (s *syncer) sync() error {
	s.mu.Lock()
	waiting := s.waiting
	s.waiting, s.dirty = nil, false
	s.mu.Unlock()
	file, done := s.file()
	var err error
	if file != nil {
		err = file.Sync()
	}
	done()
	if err != nil {
		err = fmt.Errorf("kernel: values: the disk did not take the journal: %w", err)
	}
	for _, c := range waiting {
		c <- err
	}
	return err
}

func (s *syncer) stop() error {
	close(s.quit)
	s.over.Wait()
	return s.sync()
}
