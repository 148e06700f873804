package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
)

// A Bundle is a file with one program for several systems. SPEC.md, section 6, has the format.
type Bundle struct {
	Program string  // the import path of its main package, such as example.org/cmd/app
	Entries []Entry // by system, sorted
}

// An Entry is the program for one system.
type Entry struct {
	System string // GOOS/GOARCH
	Digest string // SHA-256 of the file, in hex
	Size   int64  // of the file, in bytes
	Packed int64  // of what stands in the bundle, in bytes

	at int64 // where that begins
}

// Systems are those that the bundle has.
func (b *Bundle) Systems() []string {
	names := make([]string, len(b.Entries))
	for i, e := range b.Entries {
		names[i] = e.System
	}
	return names
}

// entry is the one for a system; nil if there is none.
func (b *Bundle) entry(system string) *Entry {
	for i := range b.Entries {
		if b.Entries[i].System == system {
			return &b.Entries[i]
		}
	}
	return nil
}

// ReadBundle reads all of a bundle, and makes sure that it is whole: each program has the digest that the index says. The
// error also says if others than root and this user could have written the file.
func ReadBundle(file string) (*Bundle, error) {
	f, b, err := open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for i := range b.Entries {
		if _, _, err := b.Entries[i].read(f); err != nil {
			return nil, fmt.Errorf("deploy: bundle %.1024q: %w", file, err)
		}
	}
	return b, nil
}

// open opens a bundle and reads its index.
func open(file string) (*os.File, *Bundle, error) {
	f, size, err := openTrusted(file)
	if err != nil {
		return nil, nil, fmt.Errorf("deploy: bundle %.1024q: %w", file, err)
	}
	head := make([]byte, min(size, maxIndex+1))
	_, err = io.ReadFull(io.NewSectionReader(f, 0, size), head)
	var b *Bundle
	if err == nil {
		b, err = parseIndex(head, size)
	}
	if err != nil {
		f.Close()
		return nil, nil, fmt.Errorf("deploy: bundle %.1024q: %w", file, err)
	}
	return f, b, nil
}

// openBundle reads the index of a bundle that is to be sent from. It has to be one of the program that runs here.
func openBundle(file string) (*Bundle, error) {
	f, b, err := open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return b, b.mine(file)
}

// mine says if a bundle is of another program than this. A program that does not know what it is takes any: what answers
// must have the same functions in any case.
func (b *Bundle) mine(file string) error {
	info, ok := debug.ReadBuildInfo()
	if ok && info.Path != "" && info.Path != b.Program {
		return fmt.Errorf("deploy: bundle %.1024q: it is of the program %.200q, and this is %q", file, b.Program, info.Path)
	}
	return nil
}

// fromBundle returns a program of a bundle; nil if it has none for the system.
func fromBundle(file, system string) (*program, error) {
	b, err := openBundle(file)
	if err != nil {
		return nil, err
	}
	if b.entry(system) == nil {
		return nil, nil //nolint:nilnil // as said
	}
	return once(file+"\x00"+system, func() (*program, error) {
		f, b, err := open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		e := b.entry(system)
		if e == nil {
			return nil, errors.New("the bundle has changed just now")
		}
		return e.program(f)
	})
}

// program reads one, and makes sure that it is whole.
func (e *Entry) program(f io.ReaderAt) (*program, error) {
	packed, plain, err := e.read(f)
	if err != nil {
		return nil, err
	}
	p := describe(bytes.NewReader(plain), e.Digest, e.Size)
	p.packed = func() ([]byte, error) { return packed, nil }
	p.plain = func(to io.Writer) error {
		plain, err := e.unpack(packed)
		if err == nil {
			_, err = to.Write(plain)
		}
		return err
	}
	return p, nil
}

// read returns what stands in the bundle, and the file that it makes, which is known to be right.
func (e *Entry) read(f io.ReaderAt) (packed, plain []byte, err error) {
	packed = make([]byte, e.Packed)
	if _, err := f.ReadAt(packed, e.at); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", e.System, err)
	}
	plain, err = e.unpack(packed)
	return packed, plain, err
}
