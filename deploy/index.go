package deploy

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const (
	bundleMagic = "deliveryboy bundle 1"

	maxIndex    = 64 << 10 // of an index, in bytes
	maxSystems  = 64       // in a bundle
	maxProgram  = 1 << 30  // of one program, packed or not, in bytes
	maxMainPath = 1 << 10  // of the path of its main package, in bytes
)

// index is the beginning of a bundle.
func (b *Bundle) index() []byte {
	var t bytes.Buffer
	fmt.Fprintf(&t, "%s\nprogram %s\n", bundleMagic, b.Program)
	for _, e := range b.Entries {
		fmt.Fprintf(&t, "%s %s %d %d\n", e.System, e.Digest, e.Size, e.Packed)
	}
	sum := sha256.Sum256(t.Bytes())
	fmt.Fprintf(&t, "end %x\n", sum)
	return t.Bytes()
}

// parseIndex reads the index at the beginning of a bundle that has size bytes in all. There is one way to write an index:
// what it reads is what [Bundle.index] writes.
func parseIndex(head []byte, size int64) (*Bundle, error) {
	rest, ok := bytes.CutPrefix(head, []byte(bundleMagic+"\n"))
	if !ok {
		return nil, errors.New("it is no bundle of version 1, as deliveryboy pack makes them")
	}
	at := bytes.Index(rest, []byte("\nend "))
	const end = len("\nend \n") + 2*sha256.Size
	if at < 0 || len(rest) < at+end {
		return nil, fmt.Errorf("its index has no end within %d bytes", maxIndex)
	}
	lines := strings.Split(string(rest[:at]), "\n")
	name, ok := strings.CutPrefix(lines[0], "program ")
	if !ok || !plainPath(name) {
		return nil, fmt.Errorf("line 2 of its index, %.80q, does not name a program", lines[0])
	}
	b := &Bundle{Program: name}
	if len(lines) == 1 || len(lines) > maxSystems+1 {
		return nil, fmt.Errorf("it has %d programs; there must be 1 to %d", len(lines)-1, maxSystems)
	}
	for i, line := range lines[1:] {
		e, err := parseEntry(line)
		if err == nil && i > 0 && e.System <= b.Entries[i-1].System {
			err = errors.New("the systems are not in order")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d of its index, %.80q: %w", i+3, line, err)
		}
		b.Entries = append(b.Entries, e)
	}
	again := b.index()
	if !bytes.HasPrefix(head, again) {
		return nil, errors.New("its index is damaged: the digest at its end is another")
	}
	next := int64(len(again))
	for i := range b.Entries {
		b.Entries[i].at = next
		next += b.Entries[i].Packed
	}
	if next != size {
		return nil, fmt.Errorf("it has %d bytes, and should have %d", size, next)
	}
	return b, nil
}

func parseEntry(line string) (e Entry, err error) {
	words := strings.Split(line, " ")
	if len(words) != 4 {
		return e, fmt.Errorf("it has %d words, and should have 4", len(words))
	}
	e.System, e.Digest = words[0], words[1]
	if err := CheckSystem(e.System); err != nil {
		return e, err
	}
	if len(e.Digest) != 2*sha256.Size || strings.Trim(e.Digest, "0123456789abcdef") != "" {
		return e, errors.New("the second word is no digest")
	}
	if e.Size, err = parseSize(words[2]); err != nil {
		return e, err
	}
	e.Packed, err = parseSize(words[3])
	return e, err
}

func parseSize(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 1 || n > maxProgram || strconv.FormatInt(n, 10) != s {
		return 0, fmt.Errorf("%.40q is no number of bytes from 1 to %d", s, maxProgram)
	}
	return n, nil
}

// plainPath reports whether a text can be an import path: no space, nothing that a terminal heeds.
func plainPath(s string) bool {
	return s != "" && len(s) <= maxMainPath && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}

// unpack returns the file, if it is the one that the index names.
func (e *Entry) unpack(packed []byte) ([]byte, error) {
	damaged := func(why string) ([]byte, error) {
		return nil, fmt.Errorf("the program for %s is damaged: %s", e.System, why)
	}
	from := bytes.NewReader(packed)
	z, err := gzip.NewReader(from)
	if err != nil {
		return damaged(err.Error())
	}
	z.Multistream(false)
	out := &bytes.Buffer{}
	h := sha256.New()
	n, err := io.Copy(io.MultiWriter(out, h), io.LimitReader(z, e.Size+1))
	switch {
	case err != nil:
		return damaged(err.Error())
	case n != e.Size:
		return damaged(fmt.Sprintf("it has not the %d bytes that the index says", e.Size))
	case from.Len() > 0:
		return damaged("something stands behind it")
	case hex.EncodeToString(h.Sum(nil)) != e.Digest:
		return damaged("its digest is not the one that the index says")
	}
	return out.Bytes(), nil
}
