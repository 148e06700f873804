package box

import (
	"encoding/binary"
	"fmt"
	"math"
	"reflect"
	"unsafe"
)

// Values of basic kinds need no gob: a number is a varint, a float its bits, and a string or byte slice stands behind its
// length. That is all that many functions have, and it spares both ends the learning of types.

// scalar reports whether a plan's values can travel so.
func scalar(p *plan) bool {
	if takesBulk(p) {
		return true
	}
	if p.kind != plain || encodesItself(p.typ) {
		return false
	}
	switch p.typ.Kind() {
	case reflect.Array, reflect.Struct, reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface:
		return false
	}
	return true
}

// What stands before a string or byte slice: nothing, that it travels beside, or its length and two.
const (
	scalarNil  = 0
	scalarBulk = 1
	scalarHere = 2
)

func appendScalar(out []byte, v reflect.Value, bulks *[][]byte) []byte {
	switch v.Kind() {
	case reflect.Bool:
		if v.Bool() {
			return append(out, 1)
		}
		return append(out, 0)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return binary.AppendVarint(out, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return binary.AppendUvarint(out, v.Uint())
	case reflect.Float32, reflect.Float64:
		return binary.BigEndian.AppendUint64(out, math.Float64bits(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		c := v.Complex()
		out = binary.BigEndian.AppendUint64(out, math.Float64bits(real(c)))
		return binary.BigEndian.AppendUint64(out, math.Float64bits(imag(c)))
	case reflect.String:
		s := v.String()
		if len(s) >= bulkSize {
			*bulks = append(*bulks, unsafe.Slice(unsafe.StringData(s), len(s)))
			return append(out, scalarBulk)
		}
		return append(binary.AppendUvarint(out, uint64(len(s))+scalarHere), s...)
	}
	b := v.Bytes()
	switch {
	case b == nil:
		return append(out, scalarNil)
	case len(b) >= bulkSize:
		*bulks = append(*bulks, b)
		return append(out, scalarBulk)
	}
	return append(binary.AppendUvarint(out, uint64(len(b))+scalarHere), b...)
}

// readScalar sets v, which is zero and can be set, to what appendScalar wrote.
func readScalar(e *eye, v reflect.Value, bulks *[][]byte) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(e.bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		if n := e.int(); v.OverflowInt(n) {
			e.fail("%d does not fit into %s", n, v.Type())
		} else {
			v.SetInt(n)
		}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		if n := e.uint(); v.OverflowUint(n) {
			e.fail("%d does not fit into %s", n, v.Type())
		} else {
			v.SetUint(n)
		}
	case reflect.Float32, reflect.Float64:
		if f := e.float(); v.OverflowFloat(f) {
			e.fail("%g does not fit into %s", f, v.Type())
		} else {
			v.SetFloat(f)
		}
	case reflect.Complex64, reflect.Complex128:
		if c := complex(e.float(), e.float()); v.OverflowComplex(c) {
			e.fail("%g does not fit into %s", c, v.Type())
		} else {
			v.SetComplex(c)
		}
	default:
		readText(e, v, bulks)
	}
}

func readText(e *eye, v reflect.Value, bulks *[][]byte) {
	switch n := e.uint(); {
	case n == scalarNil && e.why == "":
		if v.Kind() == reflect.String {
			e.fail("a string cannot be nil")
		}
	case n == scalarBulk:
		if len(*bulks) == 0 {
			e.fail("its bytes did not come")
			return
		}
		setBulk(v, (*bulks)[0])
		*bulks = (*bulks)[1:]
	case n-scalarHere > uint64(len(e.in)):
		e.fail("it announces %d bytes where %d follow", n-scalarHere, len(e.in))
	default:
		n -= scalarHere
		if v.Kind() == reflect.String {
			v.SetString(string(e.in[:n]))
		} else {
			v.SetBytes(append(make([]byte, 0, n), e.in[:n]...))
		}
		e.in = e.in[n:]
	}
}

func (e *eye) float() float64 {
	if len(e.in) < 8 {
		e.fail("it is cut")
		return 0
	}
	bits := binary.BigEndian.Uint64(e.in)
	e.in = e.in[8:]
	return math.Float64frombits(bits)
}

func (c *Codec) encodeScalars(vals []reflect.Value) Values {
	var v Values
	out := make([]byte, 0, 16*len(c.carry)+128)
	for _, slot := range c.carry {
		out = appendScalar(out, vals[slot], &v.Bulk)
	}
	v.Gob = out
	return v
}

func (c *Codec) decodeScalars(v Values, vals []reflect.Value) error {
	e := eye{in: v.Gob}
	bulks := v.Bulk
	for _, slot := range c.carry {
		readScalar(&e, vals[slot], &bulks)
		if e.why != "" {
			return &EncodingError{What: fmt.Sprintf("%s %d", c.what, c.names[slot]), Why: e.why}
		}
	}
	if len(e.in) > 0 {
		return &EncodingError{What: c.what, Why: fmt.Sprintf("%d bytes follow the values", len(e.in))}
	}
	return nil
}
