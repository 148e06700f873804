package value

import (
	"bytes"
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// A journal is a file: a line that says what it is, and records.
//
//	mark      8 bytes   of this file alone, see title
//	length    u32       of the payload
//	checksum  u32       CRC-32C of the payload
//	payload   owner i64, expiry i64, length of the name u16, name, value
//
// Numbers are big-endian. An empty value says that there is none any more. The mark is for finding the next record after a
// damaged one. It is random, so that nobody can put records of somebody else into a value of theirs, to be found when that
// value is damaged. In files of version 1 it had 4 bytes and was always the same; they are read, and written anew.
type journal struct {
	file  *os.File // nil: there is none, and none can be made
	mark  string
	size  int64
	later int64 // not tried again to make it shorter before it has this size
	users sync.WaitGroup
	buf   []byte
	// sealed is why nothing can be written, such as a disk that is read-only; what the journal holds can be read. See reopen.
	sealed error
}

type record struct {
	owner   int
	name    string
	data    string
	expires int64
}

// Version is that of the journals that are written. Earlier ones are read.
const Version = 2

const (
	titleOf  = "deliveryboy values 2 " // the mark in hexadecimal, its checksum, and a line feed follow
	sizeMark = 8
	sizeOf   = len(titleOf) + 2*sizeMark + 1 + 8 + 1 // bytes of the whole title
	titleOf1 = "deliveryboy values 1\n"
	markOf1  = "\xd5vr1"
	bodySize = 18
	overhead = sizeMark + 8 + bodySize
	slack    = 1 << 20 // of history that a journal may have beside twice what is live
	// maxJournal is what is read at most: all that may be live for 64 owners, and as much history.
	maxJournal = 64 * 2 * MaxTotal
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// point is where tests let the process die.
var point = func(string) {}

// openJournal opens a journal or makes one; one that cannot be written to is sealed. Two processes cannot have it open.
func openJournal(path string) (*journal, error) {
	j := &journal{}
	var err error
	j.file, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if passing(err) {
		j.sealed = err
		if j.file, err = os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0); errors.Is(err, fs.ErrNotExist) {
			return j, nil
		}
	}
	if err != nil {
		return nil, err
	}
	if err := lock(j.file); err != nil {
		j.file.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return j, nil
}

// reopen opens a journal again that is sealed, for writing.
func (j *journal) reopen(path string) error {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return err
	}
	if j.file != nil {
		if err := same(file, j.file); err != nil {
			file.Close()
			return fmt.Errorf("%s: %w", path, err)
		}
		j.users.Wait()
		j.file.Close() // and with it the lock
	}
	j.file = file
	if err := lock(file); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if j.size == 0 {
		return j.begin()
	}
	return nil
}

func same(a, b *os.File) error {
	is, err := a.Stat()
	if err != nil {
		return err
	}
	was, err := b.Stat()
	if err == nil && !os.SameFile(is, was) {
		err = errors.New("it is another file by now; end the kernel before you replace it")
	}
	return err
}

// passing reports whether an error says that the disk takes nothing now. Later it may.
func passing(err error) bool {
	return errors.Is(err, unix.EROFS) || errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT)
}

func lock(file *os.File) error {
	raw, err := file.SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) { err = unix.Flock(int(fd), unix.LOCK_EX|unix.LOCK_NB) })
	if errors.Is(err, unix.EWOULDBLOCK) {
		err = errors.New("another kernel uses it")
	}
	return errors.Join(err, failed)
}

// A report is what of a journal could not be used.
type report struct {
	bad  []byte
	torn bool // it is the end alone, as a kill leaves it
}

// load reads all records, in order, and leaves the file at the end of the last good one.
func (j *journal) load(keep func(record)) (report, error) {
	if j.file == nil {
		return report{}, nil
	}
	info, err := j.file.Stat()
	if err != nil {
		return report{}, err
	}
	if !info.Mode().IsRegular() {
		return report{}, errors.New("it is no ordinary file")
	}
	if info.Size() > maxJournal {
		return report{}, fmt.Errorf("it has %d bytes, and at most %d are read; look into it, and move it away", info.Size(), int64(maxJournal))
	}
	text := make([]byte, info.Size())
	if _, err := io.ReadFull(j.file, text); err != nil {
		return report{}, err
	}
	if len(text) < sizeOf && !bytes.Contains(text, []byte{'\n'}) { // new, or killed while it was
		if j.sealed == nil {
			j.sealed = j.begin()
		}
		if j.sealed != nil {
			j.size = 0 // begun when it can be
		}
		if passing(j.sealed) {
			return report{}, nil
		}
		return report{}, j.sealed
	}
	mark, rest, ok := parseTitle(text)
	if !ok {
		return report{}, fmt.Errorf("it does not begin with %q: another version wrote it, no kernel did, or the line is damaged; move it away to begin without values", titleOf)
	}
	j.mark = mark
	r := scan(rest, mark, keep)
	j.size = int64(len(text))
	return r, nil
}

// old reports whether an earlier version wrote it.
func (j *journal) old() bool { return j.mark == markOf1 }

// title is the line for a mark.
func title(mark string) string {
	return fmt.Sprintf("%s%x %08x\n", titleOf, mark, crc32.Checksum([]byte(mark), castagnoli))
}

// parseTitle takes the first line off a journal.
func parseTitle(text []byte) (mark string, rest []byte, ok bool) {
	if rest, ok := bytes.CutPrefix(text, []byte(titleOf1)); ok {
		return markOf1, rest, true
	}
	if len(text) < sizeOf {
		return "", nil, false
	}
	b, err := hex.DecodeString(string(text[len(titleOf) : len(titleOf)+2*sizeMark]))
	if mark = string(b); err != nil || string(text[:sizeOf]) != title(mark) {
		return "", nil, false
	}
	return mark, text[sizeOf:], true
}

func (j *journal) begin() error {
	if err := j.file.Truncate(0); err != nil {
		return err
	}
	mark := make([]byte, sizeMark)
	_, _ = rand.Read(mark) // it never fails
	j.mark = string(mark)
	line := title(j.mark)
	if _, err := j.file.WriteAt([]byte(line), 0); err != nil {
		return err
	}
	j.size = int64(len(line))
	return nil
}

// scan calls keep for each good record, and collects what is none.
func scan(text []byte, mark string, keep func(record)) report {
	var r report
	lost := false // bytes before the last good record
	for at := 0; at < len(text); {
		rec, n := parse(text[at:], mark)
		if n > 0 {
			lost = lost || len(r.bad) > 0
			keep(rec)
			at += n
			continue
		}
		next := bytes.Index(text[at+1:], []byte(mark))
		end := len(text)
		if next >= 0 {
			end = at + 1 + next
		}
		r.bad = append(r.bad, text[at:end]...)
		at = end
	}
	r.torn = len(r.bad) > 0 && !lost
	return r
}

// parse reads one record; n is its length, 0 if it is none.
func parse(text []byte, mark string) (r record, n int) {
	head := len(mark) + 8
	if len(text) < head+bodySize || string(text[:len(mark)]) != mark {
		return r, 0
	}
	length := binary.BigEndian.Uint32(text[len(mark):])
	if length < bodySize || length > bodySize+name.Max+MaxValue || int(length) > len(text)-head {
		return r, 0
	}
	body := text[head : head+int(length)]
	if crc32.Checksum(body, castagnoli) != binary.BigEndian.Uint32(text[head-4:]) {
		return r, 0
	}
	size := int(binary.BigEndian.Uint16(body[16:]))
	if size > len(body)-bodySize {
		return r, 0
	}
	r = record{
		owner:   int(int64(binary.BigEndian.Uint64(body))),
		expires: int64(binary.BigEndian.Uint64(body[8:])),
		name:    string(body[bodySize : bodySize+size]),
		data:    string(body[bodySize+size:]),
	}
	if name.Check("value", r.name) != nil {
		return r, 0
	}
	return r, head + int(length)
}

// encode adds a record to buf.
func encode(buf []byte, mark string, r record) []byte {
	start := len(buf) + len(mark)
	buf = append(buf, mark...)
	buf = append(buf, 0, 0, 0, 0, 0, 0, 0, 0)
	buf = binary.BigEndian.AppendUint64(buf, uint64(r.owner))
	buf = binary.BigEndian.AppendUint64(buf, uint64(r.expires))
	buf = binary.BigEndian.AppendUint16(buf, uint16(len(r.name)))
	buf = append(append(buf, r.name...), r.data...)
	body := buf[start+8:]
	binary.BigEndian.PutUint32(buf[start:], uint32(len(body)))
	binary.BigEndian.PutUint32(buf[start+4:], crc32.Checksum(body, castagnoli))
	return buf
}

// append adds a record to the file. If it fails, for instance because the disk is full, the file is as before.
func (j *journal) append(r record) error {
	j.buf = encode(j.buf[:0], j.mark, r)
	point("append")
	_, err := j.file.WriteAt(j.buf, j.size)
	if err != nil {
		_ = j.file.Truncate(j.size) // or the next record goes over it
		return err
	}
	point("appended")
	j.size += int64(len(j.buf))
	if cap(j.buf) > 64<<10 {
		j.buf = nil
	}
	return nil
}

// hold lends the file, which is not closed before it is given back.
func (j *journal) hold() (*os.File, func()) {
	j.users.Add(1)
	return j.file, j.users.Done
}

// replace writes a new journal, and puts it in the place of this one, which is closed.
func (j *journal) replace(dir string, fill func(add func(record) error) error) (*journal, error) {
	path := filepath.Join(dir, "values")
	fresh := path + ".new"
	if err := os.Remove(fresh); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	point("new")
	file, err := os.OpenFile(fresh, os.O_RDWR|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	next := &journal{file: file}
	if err = lock(file); err == nil {
		err = next.begin()
	}
	point("begun")
	if err == nil {
		err = fill(next.append)
	}
	point("filled")
	if err == nil {
		err = file.Sync()
	}
	point("synced")
	if err == nil {
		err = os.Rename(fresh, path)
	}
	if err != nil {
		file.Close()
		os.Remove(fresh)
		return nil, err
	}
	point("renamed")
	err = syncDir(dir)
	point("done")
	j.close() // whoever brings it to the disk may still be at it
	return next, err
}

func (j *journal) close() {
	j.users.Wait()
	if j.file != nil {
		j.file.Close()
	}
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
