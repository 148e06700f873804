package deploy

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/seed354a1416/deliveryboy/internal/build"
)

// A program is a file that can be brought to a far side.
type program struct {
	digest string // SHA-256, in hex
	build  string
	size   int64
	loader string // the dynamic loader that it needs; empty if it is static

	packed func() ([]byte, error) // the file, compressed; it is kept for the next far side
	plain  func(io.Writer) error  // writes the file
	sample func() ([]byte, error) // a piece of it; nil if it is small, or at hand compressed
}

// describe is what can be told from a file, and its digest.
func describe(f io.ReaderAt, digest string, size int64) *program {
	id := build.Of(f)
	if id == "" {
		id = "sha256:" + digest
	}
	return &program{digest: digest, build: id, size: size, loader: loaderOf(f)}
}

// own is the file that runs here.
var own = sync.OnceValues(func() (*program, error) { return load(build.Open) })

// load looks at a file.
func load(open func() (*os.File, error)) (*program, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	size, err := io.Copy(h, f)
	if err != nil {
		return nil, err
	}
	p := describe(f, hex.EncodeToString(h.Sum(nil)), size)
	p.plain = func(to io.Writer) error { return p.copy(open, to) }
	if size >= 4*piece {
		p.sample = func() ([]byte, error) { return middle(open, size) }
	}
	p.packed = sync.OnceValues(func() ([]byte, error) {
		out := bytes.NewBuffer(make([]byte, 0, size/2))
		err := pack(out, gzip.BestSpeed, p.plain)
		return out.Bytes(), err
	})
	return p, nil
}

// middle is a piece of a file.
func middle(open func() (*os.File, error), size int64) ([]byte, error) {
	f, err := open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b := make([]byte, piece)
	_, err = f.ReadAt(b, (size-piece)/2)
	return b, err
}

// copy writes so many bytes as the file had when it was looked at, and makes sure that it is still that one.
func (p *program) copy(open func() (*os.File, error), to io.Writer) error {
	f, err := open()
	if err != nil {
		return err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.CopyBuffer(io.MultiWriter(to, h), io.LimitReader(f, p.size), make([]byte, piece)); err != nil {
		return err
	}
	if digest := hex.EncodeToString(h.Sum(nil)); digest != p.digest {
		return fmt.Errorf("the file of this program has changed while it ran: its digest was %s, is %s", p.digest, digest)
	}
	return nil
}

// pack writes one gzip member, the same for the same content.
func pack(to io.Writer, level int, content func(io.Writer) error) error {
	z, err := gzip.NewWriterLevel(to, level)
	if err != nil {
		return err
	}
	if err := content(z); err != nil {
		return err
	}
	return z.Close()
}

// loaded are the files that were looked at, by name. They are not expected to change while the program runs.
var loaded sync.Map

// fromFile returns the program in a file of [Options.Programs].
func fromFile(name string) (*program, error) {
	return once(name, func() (*program, error) {
		return load(func() (*os.File, error) { return os.Open(name) })
	})
}

// once looks at what has a name for the first time.
func once(name string, look func() (*program, error)) (*program, error) {
	if b, ok := loaded.Load(name); ok {
		return b.(*program), nil
	}
	b, err := look()
	if err != nil {
		return nil, err
	}
	kept, _ := loaded.LoadOrStore(name, b)
	return kept.(*program), nil
}
