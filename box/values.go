package box

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"fmt"
	"reflect"
	"sync"
	"unsafe"
)

// bulkSize is the length from which a byte slice or string argument travels beside gob, uncopied.
const bulkSize = 32 << 10

// A Codec carries a fixed list of values, the arguments or the results of one function. It is safe for concurrent use.
type Codec struct {
	what   string // "arg" or "result"
	plans  []*plan
	names  []int // what a slot is called in errors
	depth  int
	carry  []int // the slots that are in the struct below
	basic  bool  // all of them are scalars: gob is not needed
	once   sync.Once
	packed reflect.Type // a struct with one field per carried slot

	fixed bool // the types that gob needs to know are always the same
	primers
	guards
}

// NewCodec returns the codec for values of the given types; what is "arg" or "result", for errors. Depth is how deep a
// recursive type may go; with 0 such types are refused. The error names the field that cannot travel.
func NewCodec(what string, types []reflect.Type, depth int) (*Codec, error) {
	names := make([]int, len(types))
	for i := range names {
		names[i] = i
	}
	return NewCodecAt(what, types, names, depth)
}

// NewCodecAt is NewCodec for values between which there are others, which it does not carry: names are the numbers of
// the values, for errors.
func NewCodecAt(what string, types []reflect.Type, names []int, depth int) (*Codec, error) {
	c := &Codec{what: what, names: names, depth: depth}
	for i, t := range types {
		p, err := newPlan(t, depth)
		if err != nil {
			return nil, &EncodingError{What: fmt.Sprintf("%s %d", what, names[i]), Path: err.(*planError).path, Why: err.(*planError).why}
		}
		c.plans = append(c.plans, p)
		if p.kind != nothing {
			c.carry = append(c.carry, i)
		}
	}
	c.basic, c.fixed = true, true
	for _, slot := range c.carry {
		c.basic = c.basic && scalar(c.plans[slot])
		c.fixed = c.fixed && fixed(c.plans[slot], map[*plan]bool{})
	}
	return c, nil
}

// wire is the struct that gob sees. As fields of one struct, nil pointers may travel, and zero values cost nothing.
func (c *Codec) wire() reflect.Type {
	c.once.Do(func() {
		fields := make([]reflect.StructField, len(c.carry))
		for i, slot := range c.carry {
			fields[i] = reflect.StructField{Name: fmt.Sprintf("V%d", slot), Type: c.plans[slot].typ}
			if c.plans[slot].holdsInterface(map[*plan]bool{}) {
				registerBasicValues()
			}
		}
		c.packed = reflect.StructOf(fields)
	})
	return c.packed
}

// Encode packs one value per type. It does not keep or change them, but large byte slices and strings are not copied:
// they must not change until the box is on its way.
func (c *Codec) Encode(vals []reflect.Value) (v Values, err error) {
	defer recoverTo(&err, c.what)
	if len(vals) != len(c.plans) {
		return v, &EncodingError{What: c.what, Why: fmt.Sprintf("got %d values, want %d", len(vals), len(c.plans))}
	}
	if len(c.carry) == 0 {
		return v, nil
	}
	if c.basic {
		return c.encodeScalars(vals), nil
	}
	w := &walk{limit: c.depth}
	wire := reflect.New(c.wire()).Elem()
	for field, slot := range c.carry {
		val := vals[slot]
		if b, ok := bulk(val, c.plans[slot]); ok {
			v.Bulk = append(v.Bulk, b)
			w.mark(w.next(), inBulk)
			continue
		}
		w.next()
		out, _, err := w.leave(val, c.plans[slot], false)
		if err != nil {
			return Values{}, &EncodingError{What: fmt.Sprintf("%s %d", c.what, c.names[slot]), Path: err.path, Why: err.why}
		}
		wire.Field(field).Set(out)
	}
	if c.fixed {
		if v.Types = c.describe(c.wire()); v.Types != nil {
			if v.Gob, err = c.primers.encode(w.marks(), wire); err != nil {
				return Values{}, &EncodingError{What: c.what, Why: "cannot encode", Err: err}
			}
			return v, nil
		}
	}
	var buf bytes.Buffer
	buf.Write(w.marks())
	if err := gob.NewEncoder(&buf).EncodeValue(wire); err != nil {
		return Values{}, &EncodingError{What: c.what, Why: "cannot encode", Err: err}
	}
	v.Gob = buf.Bytes()
	return v, nil
}

// Decode unpacks one value per type. The values share memory with v.Bulk.
func (c *Codec) Decode(v Values) (vals []reflect.Value, err error) {
	defer recoverTo(&err, c.what)
	vals = make([]reflect.Value, len(c.plans))
	for i, p := range c.plans {
		vals[i] = reflect.New(p.typ).Elem()
	}
	if len(c.carry) == 0 {
		if len(v.Gob) != 0 {
			return nil, &EncodingError{What: c.what, Why: fmt.Sprintf("%d bytes came where nothing is expected", len(v.Gob))}
		}
		return vals, nil
	}
	if c.basic {
		return vals, c.decodeScalars(v, vals)
	}
	w := &walk{limit: c.depth}
	rest, err := w.readMarks(v.Gob)
	if err != nil {
		return nil, &EncodingError{What: c.what, Why: "cannot decode", Err: err}
	}
	wire := reflect.New(c.wire()).Elem()
	guard := c.guards.of(c.wire(), c.depth)
	if v.Types != nil {
		err = c.primers.decode(guard, v.Types, rest, wire)
	} else if err = guard.Check(rest); err == nil {
		err = decodeWhole(rest, wire)
	}
	if err != nil {
		return nil, &EncodingError{What: c.what, Why: "cannot decode", Err: err}
	}
	bulks := v.Bulk
	for field, slot := range c.carry {
		val, p := wire.Field(field), c.plans[slot]
		if w.take(w.next()) == inBulk {
			if len(bulks) == 0 || !takesBulk(p) {
				return nil, &EncodingError{What: fmt.Sprintf("%s %d", c.what, c.names[slot]), Why: "its bytes did not come"}
			}
			setBulk(val, bulks[0])
			bulks = bulks[1:]
		} else if err := w.arrive(val, p); err != nil {
			return nil, &EncodingError{What: fmt.Sprintf("%s %d", c.what, c.names[slot]), Path: err.path, Why: err.why}
		}
		vals[slot] = val
	}
	return vals, nil
}

// decodeWhole decodes a gob stream that has its types with it, and nothing else.
func decodeWhole(stream []byte, into reflect.Value) error {
	r := bytes.NewReader(stream)
	if err := gob.NewDecoder(r).DecodeValue(into); err != nil {
		return err
	}
	if r.Len() > 0 {
		return fmt.Errorf("%d bytes follow the values", r.Len())
	}
	return nil
}

// bulk returns the bytes of a large byte slice or string.
func bulk(v reflect.Value, p *plan) ([]byte, bool) {
	if !takesBulk(p) || v.Len() < bulkSize {
		return nil, false
	}
	if v.Kind() == reflect.String {
		s := v.String()
		return unsafe.Slice(unsafe.StringData(s), len(s)), true
	}
	return v.Bytes(), true
}

func takesBulk(p *plan) bool {
	return p.kind == list && p.typ.Elem().Kind() == reflect.Uint8 && p.elem.kind == plain && !encodesItself(p.typ.Elem()) ||
		p.kind == plain && p.typ.Kind() == reflect.String && !encodesItself(p.typ)
}

func setBulk(v reflect.Value, b []byte) {
	if v.Kind() == reflect.String {
		v.SetString(unsafe.String(unsafe.SliceData(b), len(b)))
		return
	}
	v.SetBytes(b)
}

// Clone copies the large values, which otherwise share memory with the values they were made of.
func (v Values) Clone() Values {
	out := Values{Types: v.Types, Gob: v.Gob, Bulk: make([][]byte, len(v.Bulk))}
	for i, b := range v.Bulk {
		out.Bulk[i] = bytes.Clone(b)
	}
	return out
}

// recoverTo turns a panic, of gob or of a type's own methods, into an error.
func recoverTo(err *error, what string) {
	if r := recover(); r != nil {
		*err = &EncodingError{What: what, Why: fmt.Sprintf("panic while it was encoded or decoded: %v", r)}
	}
}

// The marks go before the gob bytes: their number, then for each the distance from the one before and what to do.

func (w *walk) marks() []byte {
	out := binary.AppendUvarint(nil, uint64(len(w.notes)))
	last := 0
	for _, n := range w.notes {
		out = binary.AppendUvarint(out, uint64(n.site-last)<<2|uint64(n.mark))
		last = n.site
	}
	return out
}

func (w *walk) readMarks(data []byte) (rest []byte, err error) {
	count, n := binary.Uvarint(data)
	if n <= 0 || count > uint64(len(data)) {
		return nil, fmt.Errorf("bad marks: %d in %d bytes", count, len(data))
	}
	data = data[n:]
	w.notes = make([]note, 0, count)
	site := 0
	for range count {
		u, n := binary.Uvarint(data)
		if n <= 0 || u>>2 > 1<<40 {
			return nil, fmt.Errorf("bad mark after site %d", site)
		}
		data = data[n:]
		site += int(u >> 2)
		w.notes = append(w.notes, note{site, mark(u & 3)})
	}
	return data, nil
}
