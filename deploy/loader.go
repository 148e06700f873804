package deploy

import (
	"bytes"
	"encoding/binary"
	"io"
)

// loaderOf is the dynamic loader that an ELF file of 64 bits asks for; empty if it asks for none, or is another file.
func loaderOf(f io.ReaderAt) string {
	const (
		headerSize = 64 // of the file
		entrySize  = 56 // of one program header
		interp     = 3  // the kind of program header that names the loader
	)
	var head [headerSize]byte
	if _, err := f.ReadAt(head[:], 0); err != nil || !bytes.HasPrefix(head[:], []byte("\x7fELF\x02")) {
		return ""
	}
	var order binary.ByteOrder = binary.LittleEndian
	if head[5] == 2 {
		order = binary.BigEndian
	}
	at, count := int64(order.Uint64(head[32:])), int(order.Uint16(head[56:]))
	for i := range min(count, 64) {
		var entry [entrySize]byte
		if _, err := f.ReadAt(entry[:], at+int64(i)*entrySize); err != nil {
			return ""
		}
		if order.Uint32(entry[:]) != interp {
			continue
		}
		name := make([]byte, min(order.Uint64(entry[32:]), 256))
		if _, err := f.ReadAt(name, int64(order.Uint64(entry[8:]))); err != nil {
			return ""
		}
		return string(bytes.TrimRight(name, "\x00"))
	}
	return ""
}
