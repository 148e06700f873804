package box

import (
	"encoding/binary"
	"math"
	"reflect"
)

// fieldReader takes fields from b, as fieldWriter put them there.
type fieldReader struct {
	b     []byte
	depth int
	child func(int) (error, error)
}

// value reads into v, which can be set.
func (r *fieldReader) value(v reflect.Value) error {
	if r.depth++; r.depth > maxFieldDepth {
		return errBadFields
	}
	defer func() { r.depth-- }()
	t := v.Type()
	if s, ok := shapeOf(t); ok {
		return s.get(r, v)
	}
	if t == errorInterface {
		return r.error(v)
	}
	if m := marshalerOf(t); m != nil {
		b, err := r.bytes()
		if err != nil {
			return err
		}
		return m.unmarshal(b, v)
	}
	return r.kind(v)
}

func (r *fieldReader) kind(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Bool:
		on, err := r.flag()
		v.SetBool(on)
		return err
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		n, size := binary.Varint(r.b)
		if size <= 0 || v.OverflowInt(n) {
			return errBadFields
		}
		r.b = r.b[size:]
		v.SetInt(n)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		n, err := r.uint()
		if err != nil || v.OverflowUint(n) {
			return errBadFields
		}
		v.SetUint(n)
	case reflect.Float32, reflect.Float64:
		n, err := r.uint()
		v.SetFloat(math.Float64frombits(n))
		return err
	case reflect.Complex64, reflect.Complex128:
		return r.complex(v)
	case reflect.String:
		b, err := r.bytes()
		v.SetString(string(b))
		return err
	case reflect.Pointer:
		return r.pointer(v)
	case reflect.Struct:
		return r.structure(v)
	case reflect.Array:
		return r.array(v)
	case reflect.Slice:
		return r.slice(v)
	case reflect.Map:
		return r.dict(v)
	default:
		return errBadFields
	}
	return nil
}

func (r *fieldReader) structure(v reflect.Value) error {
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		if err := r.value(v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *fieldReader) pointer(v reflect.Value) error {
	on, err := r.flag()
	if err != nil || !on {
		return err
	}
	p := reflect.New(v.Type().Elem())
	v.Set(p)
	return r.value(p.Elem())
}

func (r *fieldReader) array(v reflect.Value) error {
	for i := range v.Len() {
		if err := r.value(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

// slice grows as elements come: their number is only a claim.
func (r *fieldReader) slice(v reflect.Value) error {
	n, isNil, err := r.length()
	if err != nil || isNil {
		return err
	}
	if v.Type().Elem().Kind() == reflect.Uint8 {
		v.SetBytes(append([]byte{}, r.b[:n]...))
		r.b = r.b[n:]
		return nil
	}
	v.Set(reflect.MakeSlice(v.Type(), 0, 0))
	for i := range n {
		v.Set(reflect.Append(v, reflect.Zero(v.Type().Elem())))
		if err := r.value(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (r *fieldReader) dict(v reflect.Value) error {
	n, isNil, err := r.length()
	if err != nil || isNil {
		return err
	}
	v.Set(reflect.MakeMap(v.Type()))
	for range n {
		key, elem := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		if err := r.value(key); err != nil {
			return err
		}
		if err := r.value(elem); err != nil {
			return err
		}
		v.SetMapIndex(key, elem)
	}
	return nil
}

func (r *fieldReader) complex(v reflect.Value) error {
	re, err := r.uint()
	if err != nil {
		return err
	}
	im, err := r.uint()
	v.SetComplex(complex(math.Float64frombits(re), math.Float64frombits(im)))
	return err
}

func (r *fieldReader) error(v reflect.Value) error {
	i, err := r.uint()
	if err != nil || i == 0 {
		return err
	}
	if i > maxFaultNodes {
		return errBadFields
	}
	e, err := r.child(int(i))
	if err != nil {
		return err
	}
	v.Set(reflect.ValueOf(e))
	return nil
}

func (r *fieldReader) uint() (uint64, error) {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		return 0, errBadFields
	}
	r.b = r.b[size:]
	return n, nil
}

func (r *fieldReader) flag() (bool, error) {
	if len(r.b) == 0 || r.b[0] > 1 {
		return false, errBadFields
	}
	on := r.b[0] == 1
	r.b = r.b[1:]
	return on, nil
}

// bytes reads a length and so many bytes, which belong to the fault still.
func (r *fieldReader) bytes() ([]byte, error) {
	n, err := r.uint()
	if err != nil || n > uint64(len(r.b)) {
		return nil, errBadFields
	}
	b := r.b[:n]
	r.b = r.b[n:]
	return b, nil
}

// length reads the length of a slice or a map. Every element takes a byte at least, so a length beyond the bytes that
// are left is a lie.
func (r *fieldReader) length() (n int, isNil bool, err error) {
	u, err := r.uint()
	if err != nil || u > uint64(len(r.b))+1 {
		return 0, false, errBadFields
	}
	if u == 0 {
		return 0, true, nil
	}
	return int(u - 1), false, nil
}
