package box

import (
	"encoding"
	"encoding/gob"
	"errors"
	"fmt"
	"reflect"
)

// travels says why errors of type t cannot travel; nil if they can.
func travels(t reflect.Type) error {
	base := t
	if t.Kind() == reflect.Pointer {
		base = t.Elem()
	}
	switch {
	case base.Kind() == reflect.Interface:
		return errors.New("it is an interface; register the types that functions return")
	case base.Name() == "":
		return errors.New("it has no name under which it could travel; declare a type")
	}
	return canTravel(base, "", nil)
}

// canTravel goes through t as the writer will, and gives the path of the first field that cannot travel. open are the
// types that it is in the middle of.
func canTravel(t reflect.Type, path string, open []reflect.Type) error {
	for _, o := range open {
		if o == t {
			return nil
		}
	}
	if _, ok := shapeOf(t); ok || t == errorInterface || marshalerOf(t) != nil {
		return nil
	}
	open = append(open, t)
	switch t.Kind() {
	case reflect.Struct:
		return canFieldsTravel(t, path, open)
	case reflect.Pointer:
		return canTravel(t.Elem(), path, open)
	case reflect.Slice, reflect.Array:
		return canTravel(t.Elem(), path+"[]", open)
	case reflect.Map:
		if err := canTravel(t.Key(), path+"[key]", open); err != nil {
			return err
		}
		return canTravel(t.Elem(), path+"[]", open)
	case reflect.Interface:
		return cannot(path, t, "only error, net.Addr and reflect.Type can, of the interfaces")
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return cannot(path, t, "it means something in one process only; make the field unexported")
	}
	return nil
}

func canFieldsTravel(t reflect.Type, path string, open []reflect.Type) error {
	exported := 0
	for i := range t.NumField() {
		f := t.Field(i)
		fpath := path + "." + f.Name
		if !f.IsExported() {
			if f.Anonymous {
				return cannot(fpath, f.Type, "it is embedded and unexported, so its fields would be lost")
			}
			continue
		}
		exported++
		if err := canTravel(f.Type, fpath, open); err != nil {
			return err
		}
	}
	if exported == 0 && t.NumField() > 0 {
		return cannot(path, t, "it has no exported field; export one, or add MarshalBinary and UnmarshalBinary")
	}
	return nil
}

func cannot(path string, t reflect.Type, why string) error {
	if path == "" {
		return fmt.Errorf("%s cannot travel: %s", t, why)
	}
	return fmt.Errorf("%s: %s cannot travel: %s", path, t, why)
}

// marshaler is a pair of methods with which a struct turns itself into bytes and back.
type marshaler struct {
	marshal   func(reflect.Value) ([]byte, error)
	unmarshal func([]byte, reflect.Value) error
}

// marshalerOf is how structs of type t travel if they know it themselves; nil if they do not.
func marshalerOf(t reflect.Type) *marshaler {
	if t.Kind() != reflect.Struct {
		return nil
	}
	p := reflect.PointerTo(t)
	switch {
	case both[gob.GobEncoder, gob.GobDecoder](p):
		return &marshaler{
			func(v reflect.Value) ([]byte, error) { return copyOf(v).(gob.GobEncoder).GobEncode() },
			func(b []byte, v reflect.Value) error { return v.Addr().Interface().(gob.GobDecoder).GobDecode(b) },
		}
	case both[encoding.BinaryMarshaler, encoding.BinaryUnmarshaler](p):
		return &marshaler{
			func(v reflect.Value) ([]byte, error) { return copyOf(v).(encoding.BinaryMarshaler).MarshalBinary() },
			func(b []byte, v reflect.Value) error {
				return v.Addr().Interface().(encoding.BinaryUnmarshaler).UnmarshalBinary(b)
			},
		}
	case both[encoding.TextMarshaler, encoding.TextUnmarshaler](p):
		return &marshaler{
			func(v reflect.Value) ([]byte, error) { return copyOf(v).(encoding.TextMarshaler).MarshalText() },
			func(b []byte, v reflect.Value) error {
				return v.Addr().Interface().(encoding.TextUnmarshaler).UnmarshalText(b)
			},
		}
	}
	return nil
}

func both[To, From any](p reflect.Type) bool {
	return p.Implements(reflect.TypeFor[To]()) && p.Implements(reflect.TypeFor[From]())
}

// copyOf is a pointer to a copy of v, which has all its methods; v itself may have no address.
func copyOf(v reflect.Value) any {
	p := reflect.New(v.Type())
	p.Elem().Set(v)
	return p.Interface()
}
