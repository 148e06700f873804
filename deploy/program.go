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
	open   func() (*os.File, error)
	digest string // SHA-256, in hex
	build  string
	size   int64
	loader string // the dynamic loader that it needs; empty if it is static

	packed func() ([]byte, error) // the file, compressed; it is kept for the next far side
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
	digest := hex.EncodeToString(h.Sum(nil))
	id := build.Of(f)
	if id == "" {
		id = "sha256:" + digest
	}
	p := &program{open: open, digest: digest, build: id, size: size, loader: loaderOf(f)}
	p.packed = sync.OnceValues(p.compress)
	return p, nil
}

// bundled are the files of bundles that were looked at, by name. They are not expected to change while the program runs.
var bundled sync.Map

func fromBundle(name string) (*program, error) {
	if b, ok := bundled.Load(name); ok {
		return b.(*program), nil
	}
	b, err := load(func() (*os.File, error) { return os.Open(name) })
	if err != nil {
		return nil, err
	}
	kept, _ := bundled.LoadOrStore(name, b)
	return kept.(*program), nil
}

// payload is what is sent: the file itself if the far side cannot unpack.
func (p *program) payload(gz bool) ([]byte, error) {
	if gz {
		return p.packed()
	}
	f, err := p.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(f)
}

// compress also makes sure that the file is still the one that was looked at.
func (p *program) compress() ([]byte, error) {
	f, err := p.open()
	if err != nil {
		return nil, err
	}
	defer f.Close()
	out := bytes.NewBuffer(make([]byte, 0, p.size/2))
	z, err := gzip.NewWriterLevel(out, gzip.BestSpeed)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(z, h), f); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	if digest := hex.EncodeToString(h.Sum(nil)); digest != p.digest {
		return nil, fmt.Errorf("the file of this program has changed while it ran: its digest was %s, is %s", p.digest, digest)
	}
	return out.Bytes(), nil
}
