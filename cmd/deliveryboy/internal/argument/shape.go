package argument

import (
	"reflect"
	"strings"
)

// Shape is how a value of type t is written as an argument, such as {"path": string, "max_bytes": int64}.
func Shape(t reflect.Type) string { return shape(t, nil) }

func shape(t reflect.Type, outer []reflect.Type) string {
	switch {
	case t == durationType && outer == nil:
		return "duration such as 30s"
	case isText(t):
		return "string (" + t.String() + ")"
	}
	for _, o := range outer {
		if o == t {
			return t.String() // recursive
		}
	}
	outer = append(outer[:len(outer):len(outer)], t)
	switch t.Kind() {
	case reflect.Pointer:
		return shape(t.Elem(), outer) + " or null"
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 && t.Kind() == reflect.Slice {
			return "base64 string"
		}
		return "[" + shape(t.Elem(), outer) + ", …]"
	case reflect.Map:
		return `{"…": ` + shape(t.Elem(), outer) + ", …}"
	case reflect.Interface:
		return "any JSON"
	case reflect.Struct:
		var fields []string
		for _, f := range reflect.VisibleFields(t) {
			if name := FieldName(f); name != "" {
				fields = append(fields, `"`+name+`": `+shape(f.Type, outer))
			}
		}
		return "{" + strings.Join(fields, ", ") + "}"
	}
	return t.Kind().String()
}
