package box

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"io"
	"reflect"
	"sync"

	"github.com/seed354a1416/deliveryboy/internal/gobguard"
)

// A gob stream begins with descriptions of its types. For one codec these are always the same: encoders that have written
// them, and decoders that have read them, are kept, and each message is then its values alone.

const (
	maxPrimers = 8        // descriptions for which a codec keeps decoders: those of other programs may differ
	maxKept    = 64 << 10 // bytes that a kept encoder may hold on to
)

// primers are the encoders and decoders of one codec.
type primers struct {
	once     sync.Once
	types    []byte // the descriptions; nil if the codec cannot be primed
	encoders sync.Pool

	mu       sync.Mutex // guards decoders
	decoders map[string]*primedDecoders
}

// primedDecoders have read the same types, which have been checked.
type primedDecoders struct {
	checked *gobguard.Checked
	pool    sync.Pool
}

type primedEncoder struct {
	buf bytes.Buffer
	gob *gob.Encoder
}

// describe finds the descriptions of the codec's types, by encoding a zero value.
func (p *primers) describe(wire reflect.Type) []byte {
	p.once.Do(func() {
		e, types := prime(wire)
		if e != nil {
			p.types = types
			p.encoders.Put(e)
		}
	})
	return p.types
}

// prime makes an encoder that has written its types. It returns nil if gob cannot encode a zero value.
func prime(wire reflect.Type) (*primedEncoder, []byte) {
	e := &primedEncoder{}
	e.gob = gob.NewEncoder(&e.buf)
	if err := e.gob.EncodeValue(reflect.New(wire).Elem()); err != nil {
		return nil, nil
	}
	stream := e.buf.Bytes()
	last := 0
	for at := 0; at < len(stream); {
		n, size := gobUint(stream[at:])
		if size == 0 || n > uint64(len(stream)-at-size) {
			return nil, nil
		}
		last = at
		at += size + int(n)
	}
	return e, bytes.Clone(stream[:last])
}

// encode returns head, followed by the value without its types.
func (p *primers) encode(head []byte, wire reflect.Value) ([]byte, error) {
	e, _ := p.encoders.Get().(*primedEncoder)
	if e == nil {
		e, _ = prime(wire.Type())
	}
	e.buf.Reset()
	e.buf.Write(head)
	if err := e.gob.EncodeValue(wire); err != nil {
		return nil, err // and the encoder is of no more use
	}
	out := bytes.Clone(e.buf.Bytes())
	if e.buf.Cap() <= maxKept {
		p.encoders.Put(e)
	}
	return out, nil
}

type primedDecoder struct {
	in  primedReader
	gob *gob.Decoder
}

// A primedReader reads the types, the first time, and then one message. As an io.ByteReader it is not buffered.
type primedReader struct{ types, value []byte }

func (r *primedReader) Read(p []byte) (int, error) {
	from := &r.types
	if len(*from) == 0 {
		from = &r.value
	}
	if len(*from) == 0 {
		return 0, io.EOF
	}
	n := copy(p, *from)
	*from = (*from)[n:]
	return n, nil
}

func (r *primedReader) ReadByte() (byte, error) {
	var b [1]byte
	_, err := r.Read(b[:])
	return b[0], err
}

// decode reads a message for which the types came, or are known.
func (p *primers) decode(guard *gobguard.Guard, types, value []byte, into reflect.Value) error {
	known, err := p.known(guard, types)
	if err != nil {
		return err
	}
	if err := known.checked.Check(value); err != nil {
		return err
	}
	d, _ := known.pool.Get().(*primedDecoder)
	if d == nil {
		d = &primedDecoder{in: primedReader{types: types}}
		d.gob = gob.NewDecoder(&d.in)
	}
	d.in.value = value
	if err := d.gob.DecodeValue(into); err != nil {
		return err // and the decoder is of no more use
	}
	if left := len(d.in.types) + len(d.in.value); left > 0 {
		return fmt.Errorf("%d bytes follow the values", left)
	}
	d.in.value = nil
	known.pool.Put(d)
	return nil
}

// known returns the decoders that know these types. When there are too many kinds of them, new ones are not kept.
func (p *primers) known(guard *gobguard.Guard, types []byte) (*primedDecoders, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.decoders[string(types)]
	if known != nil {
		return known, nil
	}
	checked, err := guard.Types(types)
	if err != nil {
		return nil, err
	}
	known = &primedDecoders{checked: checked}
	if len(p.decoders) < maxPrimers {
		if p.decoders == nil {
			p.decoders = map[string]*primedDecoders{}
		}
		p.decoders[string(types)] = known
	}
	return known, nil
}

// gobUint reads a number as gob writes it; size is 0 if there is none.
func gobUint(b []byte) (n uint64, size int) {
	if len(b) == 0 {
		return 0, 0
	}
	if b[0] < 0x80 {
		return uint64(b[0]), 1
	}
	count := -int(int8(b[0]))
	if count > 8 || len(b) < 1+count {
		return 0, 0
	}
	for _, c := range b[1 : 1+count] {
		n = n<<8 | uint64(c)
	}
	return n, 1 + count
}

// fixed reports whether a plan's values are always described by the same types: an interface's are not.
func fixed(p *plan, seen map[*plan]bool) bool {
	if p == nil || seen[p] {
		return true
	}
	seen[p] = true
	if p.kind == dynamic || p.kind == errorKind {
		return false
	}
	for _, f := range p.fields {
		if !fixed(f.plan, seen) {
			return false
		}
	}
	return fixed(p.elem, seen)
}
