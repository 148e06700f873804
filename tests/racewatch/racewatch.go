// Package racewatch notices data races in workers: the race detector writes of them to a worker's stderr, and no test fails
// for it by itself.
//
//	var races racewatch.Watch // stderr of all workers
//
//	os.Exit(races.Code(m.Run()))
package racewatch

import (
	"bytes"
	"fmt"
	"os"
	"sync"
)

// A Watch passes what is written on to stderr, and looks for a race in it. The zero value is ready.
type Watch struct {
	mu   sync.Mutex
	last []byte // the end of what was written
	seen bool
}

var sign = []byte("DATA RACE")

func (w *Watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	text := append(w.last, p...) // a sign may come in two pieces
	w.seen = w.seen || bytes.Contains(text, sign)
	w.last = append([]byte(nil), text[max(len(text)-len(sign)+1, 0):]...)
	w.mu.Unlock()
	return os.Stderr.Write(p)
}

// Code is the exit code for a test program: its own, or 1 if there was a race.
func (w *Watch) Code(own int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	if own != 0 || !w.seen {
		return own
	}
	fmt.Fprintln(os.Stderr, "a worker reported a data race")
	return 1
}
