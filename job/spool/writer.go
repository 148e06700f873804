package spool

import (
	"encoding/binary"
	"errors"
	"io/fs"
	"os"
	"sync"
	"time"
)

// Limits of a spool.
const (
	DefaultLimit = 64 << 20
	MinLimit     = 1 << 20
	maxSegment   = 4 << 20
)

// A Writer adds to a spool. It is safe for concurrent use. Writing never fails and never waits for a reader: what cannot be
// kept, because of the limit or because the disk is full, is counted and left out.
type Writer struct {
	dir     *os.Root
	limit   int64
	newest  bool // when the limit is reached, the oldest segments go; else what comes is dropped
	changed func()

	mu      sync.Mutex // guards what follows
	file    *os.File   // the segment that grows; nil after an error, until the next write
	list    []segment
	end     Offset
	missing int64 // bytes that were left out since the last frame
	dropped int64 // bytes that are in no segment any more, or never were
	buf     []byte
	closed  bool
}

// Create begins the spool of a job in its directory. limit is how many bytes it may take on disk, [DefaultLimit] if it is 0;
// newest says which part of longer output stays. changed is called after each write; it must not block.
func Create(dir *os.Root, limit int64, newest bool, changed func()) (*Writer, error) {
	switch {
	case limit == 0:
		limit = DefaultLimit
	case limit < MinLimit:
		limit = MinLimit
	}
	w := &Writer{dir: dir, limit: limit, newest: newest, changed: changed}
	list, err := segments(dir)
	if err != nil {
		return nil, err
	}
	if len(list) > 0 {
		return nil, errors.New("spool: there is one already")
	}
	return w, w.rotate()
}

// Clear takes a spool away: that of a keeper that was killed before the function began.
func Clear(dir *os.Root) error {
	list, err := segments(dir)
	for _, s := range list {
		err = errors.Join(err, dir.Remove(s.name))
	}
	return err
}

// rotate begins a new segment.
func (w *Writer) rotate() error {
	if w.file != nil {
		_ = w.file.Sync()
		_ = w.file.Close()
		w.file = nil
	}
	s := segmentAt(w.end)
	f, err := w.dir.OpenFile(s.name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) { // from a try whose first write failed: there is nothing in it
		f, err = w.dir.OpenFile(s.name, os.O_WRONLY|os.O_TRUNC, 0o600)
	} else if err == nil {
		w.list = append(w.list, s)
	}
	w.file = f
	return err
}

// Stream returns a writer for one of the streams.
func (w *Writer) Stream(s Stream) StreamWriter { return StreamWriter{w, s} }

// A StreamWriter writes to one stream of a spool. Its writes take all, and have no error.
type StreamWriter struct {
	spool  *Writer
	stream Stream
}

func (s StreamWriter) Write(p []byte) (int, error) {
	now := time.Now()
	for rest := p; len(rest) > 0; {
		n := min(len(rest), MaxPiece)
		s.spool.add(s.stream, now, rest[:n])
		rest = rest[n:]
	}
	s.spool.changed()
	return len(p), nil
}

func (w *Writer) add(s Stream, now time.Time, data []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed || !w.room(int64(headSize+len(data))) || !w.fill() || !w.frame(s, now, data) {
		w.missing += int64(len(data))
		w.dropped += int64(len(data))
	}
}

// room makes room for a frame, if the limit allows it.
func (w *Writer) room(size int64) bool {
	if w.file != nil && w.end.Pos-w.list[len(w.list)-1].start.Pos+size > w.segmentSize() {
		if w.newest {
			w.shed(w.limit - w.segmentSize())
		}
		if w.held()+size > w.limit || w.rotate() != nil {
			return false
		}
	}
	return w.held()+size <= w.limit
}

func (w *Writer) segmentSize() int64 { return min(w.limit/4, maxSegment) }

// held is how many bytes are in the segments.
func (w *Writer) held() int64 {
	if len(w.list) == 0 {
		return 0
	}
	return w.end.Pos - w.list[0].start.Pos
}

// shed drops the oldest segments until the others have no more than so many bytes. The one that grows stays.
func (w *Writer) shed(limit int64) {
	for len(w.list) > 1 && w.held() > limit {
		if err := w.dir.Remove(w.list[0].name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return
		}
		w.dropped += w.list[1].start.Data - w.list[0].start.Data
		w.list = w.list[1:]
	}
}

// fill writes how much was left out, if anything was.
func (w *Writer) fill() bool {
	if w.file == nil && w.rotate() != nil {
		return false
	}
	if w.missing == 0 {
		return true
	}
	missing := w.missing
	if !w.frame(Gap, time.Now(), binary.BigEndian.AppendUint64(nil, uint64(missing))) {
		return false
	}
	w.missing -= missing
	return true
}

// frame writes a frame whole, or not at all.
func (w *Writer) frame(s Stream, now time.Time, data []byte) bool {
	w.buf = appendFrame(w.buf[:0], s, now, data)
	at := w.end.Pos - w.list[len(w.list)-1].start.Pos
	if _, err := w.file.WriteAt(w.buf, at); err != nil {
		_ = w.file.Truncate(at)
		return false
	}
	w.end.Pos += int64(len(w.buf))
	if s == Gap {
		w.end.Data += int64(binary.BigEndian.Uint64(data))
	} else {
		w.end.Data += int64(len(data))
	}
	return true
}

// MakeRoom drops the oldest segment, for the sake of something more important on a full disk. It reports whether there
// was one.
func (w *Writer) MakeRoom() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := len(w.list)
	w.shed(w.held() - 1)
	return len(w.list) < before
}

// Close ends the spool: all that was written is on disk, as far as it could be kept. end is behind the last piece; dropped
// is how many bytes of output were not kept.
func (w *Writer) Close() (end Offset, dropped int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.closed {
		w.closed = true
		w.fill()
		if w.file != nil {
			_ = w.file.Sync()
			_ = w.file.Close()
		}
	}
	return w.end, w.dropped
}
