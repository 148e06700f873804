package handover

import (
	"encoding/binary"
	"io"
	"sync"
)

// A queue holds what came of stdin and the worker has not taken, a window of it at most.
type queue struct {
	mu    sync.Mutex // guards what follows
	news  sync.Cond
	bytes []byte
	held  int // bytes that came and were not written; the caller has no credit for them
	ended bool
	gone  bool
}

func newQueue() *queue {
	q := &queue{}
	q.news.L = &q.mu
	return q
}

// add takes bytes in, if the caller may have sent them.
func (q *queue) add(p []byte) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.held+len(p) > window || q.ended {
		return false
	}
	q.held += len(p)
	q.bytes = append(q.bytes, p...)
	q.news.Signal()
	return true
}

// end notes that no more comes.
func (q *queue) end() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.ended = true
	q.news.Signal()
}

// cut ends the queue with what is in it.
func (q *queue) cut() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gone = true
	q.news.Signal()
}

// next waits for bytes, and takes all there are in exchange for an empty buffer.
func (q *queue) next(empty []byte) (full []byte, more bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.bytes) == 0 && !q.ended && !q.gone {
		q.news.Wait()
	}
	if q.gone || len(q.bytes) == 0 {
		return nil, false
	}
	full, q.bytes = q.bytes, empty[:0]
	return full, true
}

// drain writes what comes, and gives credit for it. A worker that takes no more gets no more.
func (q *queue) drain(to io.WriteCloser, l *Line) {
	defer to.Close()
	var spare []byte
	for {
		full, more := q.next(spare)
		if !more {
			return
		}
		if _, err := to.Write(full); err != nil {
			return
		}
		q.mu.Lock()
		q.held -= len(full)
		q.mu.Unlock()
		if l.write(recordCredit, binary.BigEndian.AppendUint32(nil, uint32(len(full)))) != nil {
			return
		}
		spare = full
	}
}
