package child

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// A source is one of the two streams of a process.
type source byte

const (
	fromOut source = iota
	fromErr
	sources
)

func (s source) kind() Kind { return [...]Kind{Out, Err}[s] }

// A tape is the recorded output of a process: a file for each stream, and an index. A position counts the bytes of both
// streams in the order in which they came. The process's lock guards all of it but what record does.
type tape struct {
	place place
	name  string
	limit int64
	block bool // nothing is dropped: the process waits

	files  [sources]*os.File // nil: nothing came yet
	ends   [sources]int64    // of the files
	cut    [sources]int64    // where the files begin, by now
	chunks []chunk           // oldest first
	tail   uint64            // position of the first byte that is kept
	head   uint64            // position behind the last one
	lost   uint64            // bytes that were dropped though nobody had taken them
	index  *os.File
	lines  int64 // offset behind the index
	lcut   int64 // where the index begins, by now
}

// A chunk is what came at once.
type chunk struct {
	from source
	at   int64  // ns since 1970
	pos  uint64 // of its first byte
	off  int64  // of its first byte, in its file
	n    int64
	line int64 // in the index
}

// An index line is a chunk, and how the tape was when it came: 56 bytes and their checksum.
const lineSize = 64

// mostAtOnce is how much is taken from a pipe at once.
const mostAtOnce = 64 << 10

// cutStep is how much is cut off at once: each cut is a system call.
const cutStep = 64 << 10

// A place opens, removes and names files; it is the kernel's directory.
type place interface {
	open(name string, flags int) (*os.File, error)
	openOnce(name string, flags int) (*os.File, error) // for what flags say, or not at all
	remove(name string) error
	rename(from, to string) error
}

const (
	extRecord = ".record"
	extIndex  = ".index"
	extBad    = ".bad" // a record that cannot be read
)

var extStream = [sources]string{".out", ".err"}

// ready opens the files that a stream needs, and returns that of the stream.
func (t *tape) ready(from source) (*os.File, int64, error) {
	var err error
	if t.index == nil {
		if t.index, err = t.place.open(t.name+extIndex, os.O_RDWR|os.O_CREATE|os.O_EXCL); err != nil {
			return nil, 0, err
		}
	}
	if t.files[from] == nil {
		if t.files[from], err = t.place.open(t.name+extStream[from], os.O_RDWR|os.O_CREATE|os.O_EXCL); err != nil {
			return nil, 0, err
		}
	}
	return t.files[from], t.ends[from], nil
}

// reopen opens the file of a stream again, and the index, which were opened when the disk was read-only. The other stream's
// may be in use.
func (t *tape) reopen(from source) error {
	again := func(f **os.File, ext string) error {
		if *f == nil {
			return nil
		}
		fresh, err := t.place.openOnce(t.name+ext, os.O_RDWR)
		if err == nil {
			(*f).Close()
			*f = fresh
		}
		return err
	}
	return errors.Join(again(&t.index, extIndex), again(&t.files[from], extStream[from]))
}

// came notes that n bytes have come to the end of a stream's file.
func (t *tape) came(from source, n int64, at time.Time) {
	c := chunk{from: from, at: at.UnixNano(), pos: t.head, off: t.ends[from], n: n, line: t.lines}
	t.add(c)
	t.trim()
	last := t.chunks[len(t.chunks)-1]
	if _, err := t.index.WriteAt(t.lineOf(last), last.line); err == nil {
		t.lines = last.line + lineSize
	} // else a successor takes it for something that came last
}

// add appends a chunk, or makes the last one longer when there are too many to tell apart. None gets so long that much
// would be lost with it: chunks are dropped as a whole.
func (t *tape) add(c chunk) {
	t.head += uint64(c.n)
	t.ends[c.from] += c.n
	if n := len(t.chunks); n > 0 && n >= maxChunks/2 && t.chunks[n-1].goesOn(c) && t.chunks[n-1].n+c.n <= max(mostAtOnce, t.limit/(maxChunks/4)) {
		t.chunks[n-1].n += c.n
		return
	}
	t.chunks = append(t.chunks, c)
}

// goesOn reports whether this chunk goes on with the next one.
func (c chunk) goesOn(next chunk) bool {
	return c.from == next.from && c.off+c.n == next.off && c.pos+uint64(c.n) == next.pos
}

// trim drops the oldest chunks that are more than may be kept. The last one stays whole, however long it is.
func (t *tape) trim() {
	for !t.block && len(t.chunks) > 1 && (int64(t.head-t.tail) > t.limit || len(t.chunks) > maxChunks) {
		end := t.chunks[0].pos + uint64(t.chunks[0].n)
		t.lost += end - t.tail
		t.cutTo(end)
	}
}

// full reports whether more may come only when some has been taken.
func (t *tape) full() bool {
	return t.block && (int64(t.head-t.tail) >= t.limit || len(t.chunks) >= maxChunks)
}

// cutTo forgets everything before a position.
func (t *tape) cutTo(pos uint64) {
	if pos <= t.tail {
		return
	}
	t.tail = pos
	for len(t.chunks) > 0 && t.chunks[0].pos+uint64(t.chunks[0].n) <= pos {
		c := t.chunks[0]
		t.chunks = t.chunks[1:]
		t.release(c)
	}
	if len(t.chunks) == 0 {
		t.chunks = nil
		t.rewind()
	}
}

// release gives back to the disk what a chunk and those before it took.
func (t *tape) release(c chunk) {
	if end := c.off + c.n; end-t.cut[c.from] >= cutStep {
		punch(t.files[c.from], t.cut[c.from], end)
		t.cut[c.from] = end
	}
	if c.line-t.lcut >= cutStep {
		punch(t.index, t.lcut, c.line)
		t.lcut = c.line
	}
}

// rewindAt is where an empty tape begins again at the start of its files. No file system takes files of any length.
const rewindAt = 1 << 40

func (t *tape) rewind() {
	for s := range t.files {
		if t.ends[s] > rewindAt && t.files[s].Truncate(0) == nil {
			t.ends[s], t.cut[s] = 0, 0
		}
	}
}

func (t *tape) lineOf(c chunk) []byte {
	b := make([]byte, 0, lineSize)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.at))
	b = binary.LittleEndian.AppendUint64(b, c.pos)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.off))
	b = binary.LittleEndian.AppendUint64(b, uint64(c.n))
	b = binary.LittleEndian.AppendUint64(b, t.tail)
	b = binary.LittleEndian.AppendUint64(b, t.lost)
	b = binary.LittleEndian.AppendUint64(b, uint64(c.from)+1) // no line is all zero
	b = binary.LittleEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
	return binary.LittleEndian.AppendUint32(b, 0)
}

// parseLine reads a line of the index; ok is false for one that is none.
func parseLine(b []byte) (c chunk, tail, lost uint64, ok bool) {
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(b[8*i:]) }
	if binary.LittleEndian.Uint32(b[56:]) != crc32.Checksum(b[:56], castagnoli) {
		return c, 0, 0, false
	}
	c = chunk{at: int64(number(0)), pos: number(1), off: int64(number(2)), n: int64(number(3)), from: source(number(6) - 1)}
	return c, number(4), number(5), number(6)-1 < uint64(sources) && c.off >= 0 && c.n > 0
}

// load finds a tape again. Bytes that no line of the index knows came last: their time is that of the file.
func (t *tape) load() error {
	var err error
	printed := false
	for s := range t.files {
		if t.files[s], err = t.place.open(t.name+extStream[s], os.O_RDWR); errors.Is(err, os.ErrNotExist) {
			t.files[s] = nil
		} else if err != nil {
			return err
		}
		printed = printed || t.files[s] != nil
	}
	t.index, err = t.place.open(t.name+extIndex, os.O_RDWR)
	if errors.Is(err, os.ErrNotExist) {
		if t.index = nil; !printed { // nothing is made: the disk may be full, or the descriptors few
			return nil
		}
		if t.index, err = t.place.open(t.name+extIndex, os.O_RDWR|os.O_CREATE|os.O_EXCL); errors.Is(err, unix.EROFS) {
			t.index, err = nil, nil
		}
	}
	if err != nil {
		return err
	}
	var sizes [sources]int64
	var came [sources]time.Time
	for s, f := range t.files {
		if f == nil {
			continue
		}
		info, err := f.Stat()
		if err != nil {
			return err
		}
		sizes[s], came[s] = info.Size(), info.ModTime()
	}
	if err := t.loadIndex(sizes); err != nil {
		return err
	}
	for s := range t.files {
		if n := sizes[s] - t.ends[s]; n > 0 {
			t.came(source(s), n, came[s])
		}
	}
	return nil
}

func (t *tape) loadIndex(sizes [sources]int64) error {
	at := firstData(t.index) / lineSize * lineSize
	t.lcut = at
	for buf := make([]byte, lineSize*1024); ; {
		n, err := t.index.ReadAt(buf, at)
		for i := 0; i+lineSize <= n; i += lineSize {
			c, tail, lost, ok := parseLine(buf[i : i+lineSize])
			if !ok {
				continue // a hole, or what was being written when the machine went down
			}
			c.line = at + int64(i)
			t.tail, t.lost = max(t.tail, tail), lost
			t.lines = c.line + lineSize
			if c.off+c.n > sizes[c.from] { // the file began anew later
				t.head = c.pos + uint64(c.n)
				continue
			}
			t.head, t.ends[c.from] = c.pos+uint64(c.n), c.off+c.n
			t.chunks = append(t.chunks, c) // as long as it was written
		}
		at += int64(n) / lineSize * lineSize
		if errors.Is(err, io.EOF) || n < lineSize {
			break
		}
		if err != nil {
			return fmt.Errorf("its index: %w", err)
		}
	}
	for len(t.chunks) > 0 && t.chunks[0].pos+uint64(t.chunks[0].n) <= t.tail {
		t.chunks = t.chunks[1:]
	}
	t.tail = max(t.tail, t.headOfGap())
	return nil
}

// headOfGap is where the chunks begin.
func (t *tape) headOfGap() uint64 {
	if len(t.chunks) == 0 {
		return t.head
	}
	return t.chunks[0].pos
}

// kept is how many bytes there are to take.
func (t *tape) kept() int64 {
	if t.lost == 0 {
		return int64(t.head - t.tail)
	}
	n := int64(0)
	for _, c := range t.chunks { // there may be gaps between them
		n += c.n
		if c.pos < t.tail {
			n -= int64(t.tail - c.pos)
		}
	}
	return n
}

// find is the first chunk that has something behind a position.
func (t *tape) find(pos uint64) int {
	low, high := 0, len(t.chunks)
	for low < high {
		if mid := (low + high) / 2; t.chunks[mid].pos+uint64(t.chunks[mid].n) <= pos {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low
}

// read reads from a chunk what is behind a position, at most most bytes.
func (t *tape) read(c chunk, pos uint64, most int64) ([]byte, error) {
	skip := int64(0)
	if pos > c.pos {
		skip = int64(pos - c.pos)
	}
	data := make([]byte, min(c.n-skip, most))
	if _, err := t.files[c.from].ReadAt(data, c.off+skip); err != nil {
		return nil, fmt.Errorf("output at %d: %w", c.off+skip, err)
	}
	return data, nil
}

// remove closes the files and takes them away.
func (t *tape) remove() {
	t.close()
	for s := range t.files {
		if t.files[s] != nil {
			_ = t.place.remove(t.name + extStream[s])
			t.files[s] = nil
		}
	}
	if t.index != nil {
		_ = t.place.remove(t.name + extIndex)
		t.index = nil
	}
	t.chunks, t.tail = nil, t.head
}

func (t *tape) close() {
	for _, f := range append(t.files[:], t.index) {
		if f != nil {
			f.Close()
		}
	}
}

// skip notes that n bytes have come that could not be recorded.
func (t *tape) skip(n int64) {
	t.head += uint64(n)
	t.lost += uint64(n)
}
