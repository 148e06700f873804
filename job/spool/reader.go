package spool

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"time"
)

var errChecksum = errors.New("the checksum is wrong")

// A Reader reads a spool from an offset on, also while it grows. It is not safe for concurrent use.
type Reader struct {
	dir  *os.Root
	at   Offset
	file *os.File // the segment that at is in
	cur  segment
	head [headSize]byte
}

// NewReader reads from an offset of a former reader, or from the beginning.
func NewReader(dir *os.Root, from Offset) *Reader { return &Reader{dir: dir, at: from} }

// Close gives the descriptor back.
func (r *Reader) Close() {
	if r.file != nil {
		_ = r.file.Close()
	}
}

// At is where the next piece begins.
func (r *Reader) At() Offset { return r.at }

// Next returns the next piece. The error is io.EOF if there is none yet; there may be one later.
func (r *Reader) Next() (Piece, error) {
	for {
		if r.file == nil {
			if gap, err := r.open(); err != nil || gap.Dropped > 0 {
				return gap, err
			}
		}
		p, err := r.frame()
		if errors.Is(err, errChecksum) { // perhaps it was being written, and taken back, at this moment
			p, err = r.frame()
		}
		if !errors.Is(err, io.EOF) {
			return p, err
		}
		// The segment has no more. If a later one begins here, it never will.
		next := segmentAt(r.at)
		if next.name == r.cur.name {
			return Piece{}, io.EOF
		}
		if _, err := r.dir.Lstat(next.name); err != nil {
			if list, err := segments(r.dir); err != nil || len(list) == 0 || list[0].start.Pos <= r.at.Pos {
				return Piece{}, io.EOF // unless it was dropped already
			}
		}
		_ = r.file.Close()
		r.file = nil
	}
}

// open opens the segment that the offset is in; if that was dropped, the oldest one, and the gap between is the piece.
func (r *Reader) open() (gap Piece, err error) {
	list, err := segments(r.dir)
	if err != nil {
		return gap, err
	}
	var in *segment
	for i := range list {
		if in == nil || list[i].start.Pos <= r.at.Pos {
			in = &list[i]
		}
	}
	if in == nil {
		return gap, io.EOF
	}
	f, err := r.dir.Open(in.name)
	if errors.Is(err, fs.ErrNotExist) {
		return r.open() // dropped just now; there is a newer one then
	}
	if err != nil {
		return gap, err
	}
	r.file, r.cur = f, *in
	if in.start.Pos > r.at.Pos {
		gap = Piece{Stream: Gap, Time: time.Now(), Dropped: in.start.Data - r.at.Data, Next: in.start}
		r.at = in.start
	}
	return gap, nil
}

// frame reads the frame at the offset; io.EOF if it is not there, or not whole.
func (r *Reader) frame() (Piece, error) {
	at := r.at.Pos - r.cur.start.Pos
	if n, err := r.file.ReadAt(r.head[:], at); n < headSize {
		return Piece{}, atEnd(err)
	}
	size := binary.BigEndian.Uint32(r.head[:])
	if size > MaxPiece {
		return Piece{}, fmt.Errorf("spool: at %d: a piece of %d bytes; at most %d are allowed", r.at.Pos, size, MaxPiece)
	}
	data := make([]byte, size)
	if n, err := r.file.ReadAt(data, at+headSize); n < len(data) {
		return Piece{}, atEnd(err)
	}
	sum := crc32.Update(crc32.ChecksumIEEE(r.head[:16]), crc32.IEEETable, data)
	if sum != binary.BigEndian.Uint32(r.head[16:]) {
		return Piece{}, fmt.Errorf("spool: at %d: %w", r.at.Pos, errChecksum)
	}
	p := Piece{
		Stream: Stream(r.head[4]), Time: time.Unix(0, int64(binary.BigEndian.Uint64(r.head[8:]))), Data: data,
		Next: Offset{r.at.Pos + headSize + int64(size), r.at.Data + int64(size)},
	}
	if p.Stream == Gap {
		if size != 8 {
			return Piece{}, fmt.Errorf("spool: at %d: a gap of %d bytes", r.at.Pos, size)
		}
		p.Dropped, p.Data = int64(binary.BigEndian.Uint64(data)), nil
		p.Next.Data = r.at.Data + p.Dropped
	}
	r.at = p.Next
	return p, nil
}

func atEnd(err error) error {
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return io.EOF
	}
	return err
}
