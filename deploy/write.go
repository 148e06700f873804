package deploy

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
)

// WriteBundle writes a bundle of one program, whose main package has a path, for several systems. The files are read, by
// GOOS/GOARCH. The same files make the same bundle, byte for byte. It holds all of them in memory, compressed.
func WriteBundle(w io.Writer, program string, files map[string]io.Reader) (*Bundle, error) {
	b := &Bundle{Program: program}
	var packed [][]byte
	for _, system := range slices.Sorted(maps.Keys(files)) {
		e, content, err := newEntry(system, files[system])
		if err != nil {
			return nil, fmt.Errorf("deploy: bundle: %s: %w", system, err)
		}
		b.Entries = append(b.Entries, e)
		packed = append(packed, content)
	}
	index := b.index()
	if _, err := parseIndex(index, int64(len(index))+b.packed()); err != nil {
		return nil, fmt.Errorf("deploy: bundle: %w", err)
	}
	for _, content := range append([][]byte{index}, packed...) {
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	return b, nil
}

func newEntry(system string, file io.Reader) (Entry, []byte, error) {
	e := Entry{System: system}
	h := sha256.New()
	var out bytes.Buffer
	err := pack(&out, gzip.BestCompression, func(to io.Writer) (err error) {
		e.Size, err = io.Copy(io.MultiWriter(to, h), io.LimitReader(file, maxProgram+1))
		return err
	})
	e.Digest, e.Packed = hex.EncodeToString(h.Sum(nil)), int64(out.Len())
	if err == nil && (e.Size == 0 || e.Size > maxProgram) {
		err = errors.New("the file is empty, or larger than 1 GiB")
	}
	return e, out.Bytes(), err
}

// packed is how many bytes stand behind the index.
func (b *Bundle) packed() (n int64) {
	for _, e := range b.Entries {
		n += e.Packed
	}
	return n
}
