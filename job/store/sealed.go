package store

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"syscall"
)

// A sealed file begins with one line, "deliveryboy KIND 1 LENGTH CRC HEAD", then come a line of JSON and segments of bytes:
// the number of segments, the length of each, and the segments. LENGTH and CRC are those of all that follows the first
// line, HEAD is the CRC of the line of JSON, for those who need no more. All have a fixed width.
const (
	sealLine = "deliveryboy %s 1 %016x %08x %08x\n"

	maxSegments = 4096
	maxHead     = 1 << 20 // of the JSON
)

// MaxSealed is how long a sealed file may be: the largest call or reply there is, and the rest.
const MaxSealed = 256<<20 + 2<<20

// Seal returns the bytes of a sealed file: head as JSON, and the segments.
func Seal(kind string, head any, segments [][]byte) ([]byte, error) {
	line, err := json.Marshal(head)
	if err != nil {
		return nil, err
	}
	if len(line) > maxHead || len(segments) > maxSegments {
		return nil, fmt.Errorf("%s: %d bytes of JSON and %d segments; at most %d and %d are allowed", kind, len(line), len(segments), maxHead, maxSegments)
	}
	body := append(line, '\n')
	body = binary.BigEndian.AppendUint32(body, uint32(len(segments)))
	for _, s := range segments {
		body = binary.BigEndian.AppendUint64(body, uint64(len(s)))
	}
	for _, s := range segments {
		body = append(body, s...)
	}
	if len(body) > MaxSealed {
		return nil, fmt.Errorf("%s: %d bytes; at most %d are allowed", kind, len(body), MaxSealed)
	}
	return append(sealHead(kind, body), body...), nil
}

func sealHead(kind string, body []byte) []byte {
	line, _, _ := bytes.Cut(body, []byte("\n"))
	return fmt.Appendf(nil, sealLine, kind, len(body), crc32.ChecksumIEEE(body), crc32.ChecksumIEEE(line))
}

// Unseal reads a sealed file into head, and returns the segments, which share its memory. The error is ErrDamaged if the
// bytes are not what Seal gave for the kind.
func Unseal(data []byte, kind string, head any) ([][]byte, error) {
	line, body, _ := bytes.Cut(data, []byte("\n"))
	if string(line)+"\n" != string(sealHead(kind, body)) {
		return nil, fmt.Errorf("%s: %w: it begins with %.80q", kind, ErrDamaged, line)
	}
	line, body, _ = bytes.Cut(body, []byte("\n"))
	if err := json.Unmarshal(line, head); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", kind, ErrDamaged, err)
	}
	if len(body) < 4 {
		return nil, fmt.Errorf("%s: %w: it has no segments", kind, ErrDamaged)
	}
	count := binary.BigEndian.Uint32(body)
	body = body[4:]
	if count > maxSegments || uint64(len(body)) < 8*uint64(count) {
		return nil, fmt.Errorf("%s: %w: %d segments", kind, ErrDamaged, count)
	}
	segments, rest := make([][]byte, count), body[8*count:]
	for i := range segments {
		n := binary.BigEndian.Uint64(body[8*i:])
		if n > uint64(len(rest)) {
			return nil, fmt.Errorf("%s: %w: segment %d is longer than the file", kind, ErrDamaged, i)
		}
		segments[i], rest = rest[:n:n], rest[n:]
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("%s: %w: %d bytes too many", kind, ErrDamaged, len(rest))
	}
	return segments, nil
}

// openSealed opens a file that may be a sealed one, and returns its size.
func openSealed(dir *os.Root, name, kind string) (*os.File, int64, error) {
	f, err := dir.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a pipe in its place must not hold anybody up
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() > MaxSealed+1024) {
		err = fmt.Errorf("%s: %w: %s, %d bytes", kind, ErrDamaged, info.Mode(), info.Size())
	}
	if err != nil {
		_ = f.Close()
		return nil, 0, err
	}
	return f, info.Size(), nil
}

// readSealed reads a sealed file that is no longer than it may be.
func readSealed(dir *os.Root, name, kind string, head any) ([][]byte, error) {
	f, size, err := openSealed(dir, name, kind)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data := make([]byte, size)
	if _, err := io.ReadFull(f, data); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", kind, ErrDamaged, err)
	}
	return Unseal(data, kind, head)
}

// readHead reads the JSON of a sealed file, and not the segments, which may be large.
func readHead(dir *os.Root, name, kind string, head any) error {
	f, size, err := openSealed(dir, name, kind)
	if err != nil {
		return err
	}
	defer f.Close()
	r := bufio.NewReader(io.LimitReader(f, maxHead+1024))
	first, err := r.ReadString('\n')
	var line []byte
	if err == nil {
		line, err = r.ReadBytes('\n')
	}
	if err != nil {
		return fmt.Errorf("%s: %w: %w", kind, ErrDamaged, err)
	}
	line = bytes.TrimSuffix(line, []byte("\n"))
	var length uint64
	var sum, headSum uint32
	if n, _ := fmt.Sscanf(first, "deliveryboy "+kind+" 1 %16x %8x %8x\n", &length, &sum, &headSum); n != 3 ||
		length != uint64(size)-uint64(len(first)) || headSum != crc32.ChecksumIEEE(line) {
		return fmt.Errorf("%s: %w: it begins with %.80q", kind, ErrDamaged, first)
	}
	if err := json.Unmarshal(line, head); err != nil {
		return fmt.Errorf("%s: %w: %w", kind, ErrDamaged, err)
	}
	return nil
}
