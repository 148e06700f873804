// Package spool keeps what a job prints, in order and with the time of each piece, for readers that come and go.
//
// A spool is a row of segment files in the directory of the job. What is written is a sequence of frames; an [Offset] is
// a place between two of them, and stays good when the oldest segments are dropped to keep the spool within its limit:
// who reads there is told how much is missing.
//
// A segment's name is out.POS.DATA: where it begins in the sequence, and how many bytes of output stand before it, both
// as 16 hexadecimal digits. A frame is a head of 20 bytes and the data: length (4 bytes, big-endian), stream (1), three
// zeros, time (8, nanoseconds since 1970), and a CRC-32 (IEEE) of all that (4). A frame of stream 0
// stands for output that was dropped; its data is the number of bytes (8).
package spool

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"slices"
	"strings"
	"time"
)

// A Stream is where output was written to.
type Stream byte

// The streams. Gap stands for output that was dropped.
const (
	Gap Stream = iota
	Stdout
	Stderr
	Log // records of log/slog, as lines of JSON
)

func (s Stream) String() string {
	switch s {
	case Gap:
		return "gap"
	case Stdout:
		return "stdout"
	case Stderr:
		return "stderr"
	case Log:
		return "log"
	}
	return fmt.Sprintf("stream %d", byte(s))
}

// An Offset is a place in a spool. The zero value is its beginning.
type Offset struct {
	Pos  int64 // in the sequence of frames
	Data int64 // bytes of output before it, with those that were dropped
}

// A Piece is a part of the output, as it was written, or a gap.
type Piece struct {
	Stream  Stream
	Time    time.Time // when it was written, on the clock of the machine that did
	Data    []byte    // at most 64 KiB; nothing for a gap
	Dropped int64     // bytes that are missing here; 0 but for a gap
	Next    Offset    // behind it
}

// MaxPiece is how much data a piece has at most.
const MaxPiece = 64 << 10

const headSize = 20

// appendFrame appends a frame to buf.
func appendFrame(buf []byte, s Stream, at time.Time, data []byte) []byte {
	start := len(buf)
	buf = binary.BigEndian.AppendUint32(buf, uint32(len(data)))
	buf = append(buf, byte(s), 0, 0, 0)
	buf = binary.BigEndian.AppendUint64(buf, uint64(at.UnixNano()))
	sum := crc32.Update(crc32.ChecksumIEEE(buf[start:]), crc32.IEEETable, data)
	buf = binary.BigEndian.AppendUint32(buf, sum)
	return append(buf, data...)
}

// A segment is a file of the spool.
type segment struct {
	name  string
	start Offset
}

func segmentAt(start Offset) segment {
	return segment{fmt.Sprintf("out.%016x.%016x", uint64(start.Pos), uint64(start.Data)), start}
}

// segments lists the files of a spool, the oldest first.
func segments(dir *os.Root) ([]segment, error) {
	d, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	slices.Sort(names)
	var found []segment
	for _, name := range names {
		var pos, data uint64
		if n, _ := fmt.Sscanf(name, "out.%016x.%016x", &pos, &data); n != 2 || !strings.HasPrefix(name, "out.") {
			continue
		}
		if s := segmentAt(Offset{int64(pos), int64(data)}); s.name == name {
			found = append(found, s)
		}
	}
	return found, nil
}

// Size is how many bytes of disk the segments take.
func Size(dir *os.Root) (total int64, err error) {
	list, err := segments(dir)
	for _, s := range list {
		if info, err := dir.Stat(s.name); err == nil {
			total += info.Size()
		}
	}
	return total, err
}
