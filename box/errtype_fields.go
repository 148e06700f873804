package box

import (
	"encoding/binary"
	"errors"
	"math"
	"reflect"
)

// The fields of an error travel in a format of their own, and not as gob: they come from the far side as part of a
// fault, and here no length in them is believed, no type is named by them, and nothing grows beyond the bytes that
// are there. Both sides are the same build, so the type says what follows; only lengths are written.

const maxFieldDepth = 64

var errBadFields = errors.New("the fields do not fit the type")

var errorInterface = reflect.TypeFor[error]()

// fieldWriter appends fields to b.
type fieldWriter struct {
	b     []byte
	depth int
	child func(error) (int, error)
}

// value appends v: by the shape of its type if it has one, as an error, or by its kind.
func (w *fieldWriter) value(v reflect.Value) error {
	if w.depth++; w.depth > maxFieldDepth || len(w.b) > maxFaultFields {
		return errFaultFull
	}
	defer func() { w.depth-- }()
	t := v.Type()
	if s, ok := shapeOf(t); ok {
		return s.put(w, v)
	}
	if t == errorInterface {
		return w.error(v)
	}
	if m := marshalerOf(t); m != nil {
		b, err := m.marshal(v)
		if err != nil {
			return err
		}
		w.string(string(b))
		return nil
	}
	return w.kind(v)
}

func (w *fieldWriter) kind(v reflect.Value) error {
	switch v.Kind() {
	case reflect.Bool:
		w.flag(v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		w.b = binary.AppendVarint(w.b, v.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		w.uint(v.Uint())
	case reflect.Float32, reflect.Float64:
		w.uint(math.Float64bits(v.Float()))
	case reflect.Complex64, reflect.Complex128:
		w.uint(math.Float64bits(real(v.Complex())))
		w.uint(math.Float64bits(imag(v.Complex())))
	case reflect.String:
		w.string(v.String())
	case reflect.Pointer:
		w.flag(!v.IsNil())
		if !v.IsNil() {
			return w.value(v.Elem())
		}
	case reflect.Struct:
		return w.structure(v)
	case reflect.Slice, reflect.Array:
		return w.list(v)
	case reflect.Map:
		return w.dict(v)
	default:
		return errBadFields
	}
	return nil
}

// structure appends the exported fields.
func (w *fieldWriter) structure(v reflect.Value) error {
	for i := range v.NumField() {
		if !v.Type().Field(i).IsExported() {
			continue
		}
		if err := w.value(v.Field(i)); err != nil {
			return err
		}
	}
	return nil
}

// list appends an array, or a slice with its length before it: 0 is a nil slice.
func (w *fieldWriter) list(v reflect.Value) error {
	if v.Kind() == reflect.Slice {
		if v.IsNil() {
			w.uint(0)
			return nil
		}
		w.uint(uint64(v.Len()) + 1)
		if v.Type().Elem().Kind() == reflect.Uint8 {
			w.b = append(w.b, v.Bytes()...)
			return nil
		}
	}
	for i := range v.Len() {
		if err := w.value(v.Index(i)); err != nil {
			return err
		}
	}
	return nil
}

func (w *fieldWriter) dict(v reflect.Value) error {
	if v.IsNil() {
		w.uint(0)
		return nil
	}
	w.uint(uint64(v.Len()) + 1)
	for iter := v.MapRange(); iter.Next(); {
		if err := w.value(iter.Key()); err != nil {
			return err
		}
		if err := w.value(iter.Value()); err != nil {
			return err
		}
	}
	return nil
}

// error appends the place of an error in the tree; 0, the root, is nil.
func (w *fieldWriter) error(v reflect.Value) error {
	if v.IsNil() {
		w.uint(0)
		return nil
	}
	i, err := w.child(v.Interface().(error))
	if err != nil {
		return err
	}
	w.uint(uint64(i))
	return nil
}

func (w *fieldWriter) uint(n uint64) { w.b = binary.AppendUvarint(w.b, n) }

func (w *fieldWriter) flag(on bool) {
	if on {
		w.b = append(w.b, 1)
	} else {
		w.b = append(w.b, 0)
	}
}

func (w *fieldWriter) string(s string) {
	w.uint(uint64(len(s)))
	w.b = append(w.b, s...)
}
