package box

import (
	"reflect"
	"sync"
)

// putReflected is for values of basic types; others do not travel, and leave the field empty.
func putReflected(w *fieldWriter, v reflect.Value) error {
	inner := v.Interface().(reflect.Value)
	if !inner.IsValid() || !inner.CanInterface() || w.basic(inner.Interface()) != nil {
		w.string("")
	}
	return nil
}

func getReflected(r *fieldReader, v reflect.Value) error {
	value, err := r.basic()
	if err == nil && value != nil {
		v.Set(reflect.ValueOf(reflect.ValueOf(value)))
	}
	return err
}

func putPanic(w *fieldWriter, v reflect.Value) error {
	if w.basic(v.FieldByName("Value").Interface()) != nil {
		w.string("")
	}
	return nil
}

func getPanic(r *fieldReader, v reflect.Value) error {
	value, err := r.basic()
	if err == nil && value != nil {
		v.FieldByName("Value").Set(reflect.ValueOf(value))
	}
	return err
}

// basics are the types whose values travel without being registered.
var basics = sync.OnceValue(func() map[string]reflect.Type {
	types := []reflect.Type{
		reflect.TypeFor[bool](), reflect.TypeFor[string](), reflect.TypeFor[uintptr](),
		reflect.TypeFor[int](), reflect.TypeFor[int8](), reflect.TypeFor[int16](), reflect.TypeFor[int32](),
		reflect.TypeFor[int64](), reflect.TypeFor[uint](), reflect.TypeFor[uint8](), reflect.TypeFor[uint16](),
		reflect.TypeFor[uint32](), reflect.TypeFor[uint64](), reflect.TypeFor[float32](), reflect.TypeFor[float64](),
		reflect.TypeFor[complex64](), reflect.TypeFor[complex128](),
	}
	byName := make(map[string]reflect.Type, len(types))
	for _, t := range types {
		byName[t.String()] = t
	}
	return byName
})

// basic appends the name of a basic type and a value of it; nothing, and an error, if value is of another type.
func (w *fieldWriter) basic(value any) error {
	t := reflect.TypeOf(value)
	if t == nil || basics()[t.String()] != t {
		return errBadFields
	}
	w.string(t.String())
	return w.kind(reflect.ValueOf(value))
}

// basic reads what the writer's basic wrote; nil if it was of another type.
func (r *fieldReader) basic() (any, error) {
	name, err := r.bytes()
	if err != nil || len(name) == 0 {
		return nil, err
	}
	t := basics()[string(name)]
	if t == nil {
		return nil, errBadFields
	}
	v := reflect.New(t).Elem()
	if err := r.kind(v); err != nil {
		return nil, err
	}
	return v.Interface(), nil
}

// decodeBasic is the value of a basic type in b; nil if there is none.
func decodeBasic(b []byte) any {
	r := &fieldReader{b: b}
	value, err := r.basic()
	if err != nil || len(r.b) > 0 {
		return nil
	}
	return value
}
