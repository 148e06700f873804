package build

import (
	"bytes"
	"encoding/binary"
	"io"
	"unicode/utf8"
)

// goBuildID finds the build ID that the Go linker wrote into an ELF file's notes; "" if there is none. The note stands
// in the first page, so that one read finds it.
func goBuildID(f io.ReaderAt) string {
	page := make([]byte, 8<<10)
	n, _ := f.ReadAt(page, 0)
	page = page[:n]
	if !bytes.HasPrefix(page, []byte("\x7fELF")) || len(page) < 64 {
		return ""
	}
	// A note is its name's length, its value's length, its type (4 is the build ID), and the name "Go".
	var order binary.ByteOrder = binary.LittleEndian
	if page[5] == 2 {
		order = binary.BigEndian
	}
	name := []byte("Go\x00\x00")
	for at := 0; ; {
		i := bytes.Index(page[at:], name)
		if i < 0 {
			return ""
		}
		at += i
		if at >= 12 && order.Uint32(page[at-12:]) == 4 && order.Uint32(page[at-4:]) == 4 {
			size := int(order.Uint32(page[at-8:]))
			value := page[at+4:]
			if size > 0 && size <= 256 && size <= len(value) && utf8.Valid(value[:size]) {
				return string(value[:size])
			}
		}
		at += len(name)
	}
}
