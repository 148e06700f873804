package display

import (
	"encoding"
	"fmt"
	"reflect"
	"time"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/argument"
)

// concrete follows pointers and interfaces; the result is not valid if there is a nil on the way.
func concrete(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		if v.IsNil() {
			return reflect.Value{}
		}
		if v.Kind() == reflect.Pointer && v.CanInterface() {
			if _, ok := v.Interface().(encoding.TextMarshaler); ok && !implements(v.Elem()) {
				return v // only the pointer knows how to show itself
			}
		}
		v = v.Elem()
	}
	return v
}

func implements(v reflect.Value) bool {
	if !v.CanInterface() {
		return false
	}
	_, ok := v.Interface().(encoding.TextMarshaler)
	return ok
}

// scalar is v as text, if it is one thing and not made of others.
func scalar(v reflect.Value) (string, bool) {
	if !v.IsValid() {
		return "", true
	}
	if v.CanInterface() {
		if text, ok := special(v.Interface()); ok {
			return text, true
		}
	}
	switch v.Kind() {
	case reflect.Bool, reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64, reflect.Uint, reflect.Uint8,
		reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr, reflect.Float32, reflect.Float64,
		reflect.Complex64, reflect.Complex128:
		return fmt.Sprint(v), true
	case reflect.String:
		return v.String(), true
	case reflect.Slice:
		if v.Type().Elem().Kind() == reflect.Uint8 {
			return bytesText(v.Bytes()), true
		}
	}
	return "", false
}

// special shows types that know how to show themselves.
func special(x any) (string, bool) {
	switch x := x.(type) {
	case time.Time:
		if x.IsZero() {
			return "", true
		}
		return x.Format(time.RFC3339), true
	case time.Duration:
		return x.String(), true
	case encoding.TextMarshaler:
		text, err := x.MarshalText()
		if err != nil {
			return "", false
		}
		return string(text), true
	}
	return "", false
}

// field is a field of a struct under the name that it has in JSON.
type field struct {
	name  string
	index []int
}

func fields(t reflect.Type) []field {
	var all []field
	for _, f := range reflect.VisibleFields(t) {
		if name := argument.FieldName(f); name != "" && reachable(t, f.Index) {
			all = append(all, field{name, f.Index})
		}
	}
	return all
}

// reachable reports whether no embedded pointer, which may be nil, is on the way to a field.
func reachable(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		if t = t.Field(i).Type; t.Kind() == reflect.Pointer {
			return false
		}
	}
	return true
}
