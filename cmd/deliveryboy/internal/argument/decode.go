package argument

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"
	"unicode/utf8"
)

var (
	durationType        = reflect.TypeFor[time.Duration]()
	jsonUnmarshalerType = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshalerType = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// isText reports whether t decides by itself how it is written.
func isText(t reflect.Type) bool {
	p := reflect.PointerTo(t)
	return p.Implements(jsonUnmarshalerType) || p.Implements(textUnmarshalerType)
}

// decode reads text as a value of type t.
func decode(t reflect.Type, text []byte) (reflect.Value, *Error) {
	v := reflect.New(t).Elem()
	switch {
	case t.Kind() == reflect.String && !isText(t) && !bytes.HasPrefix(text, []byte(`"`)):
		v.SetString(string(text))
		return v, nil
	case t == durationType:
		d, err := time.ParseDuration(strings.Trim(strings.TrimSpace(string(text)), `"`))
		if err != nil {
			return v, &Error{Why: "it is no duration; write one with its unit, such as 30s or 1h30m"}
		}
		v.SetInt(int64(d))
		return v, nil
	}
	return v, decodeJSON(v, text)
}

func decodeJSON(v reflect.Value, text []byte) *Error {
	if why := unreadable(v.Type()); why != "" {
		return &Error{Why: why}
	}
	if !utf8.Valid(text) {
		return &Error{Why: fmt.Sprintf("byte %d is not UTF-8, which JSON has to be", invalidAt(text))}
	}
	if err := checkTwice(text); err != nil {
		return err
	}
	if string(bytes.TrimSpace(text)) == "null" && !nilable(v.Kind()) {
		return &Error{Why: fmt.Sprintf("null does not fit %s", v.Type())}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(v.Addr().Interface()); err != nil {
		return explain(v.Type(), err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return &Error{Why: fmt.Sprintf("there is more after the JSON value, at byte %d; give one value per argument",
			d.InputOffset())}
	}
	return nil
}

// unreadable says why no JSON can be a value of type t.
func unreadable(t reflect.Type) string {
	if isText(t) {
		return ""
	}
	switch t.Kind() {
	case reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128, reflect.UnsafePointer:
		return fmt.Sprintf("a %s cannot be given on a command line; call the function from Go", t)
	case reflect.Interface:
		if t.NumMethod() > 0 {
			return fmt.Sprintf("a %s cannot be given on a command line; call the function from Go", t)
		}
	}
	return ""
}

func nilable(k reflect.Kind) bool {
	return k == reflect.Pointer || k == reflect.Map || k == reflect.Slice || k == reflect.Interface
}

func invalidAt(text []byte) int {
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return at
}

// explain says what json found wrong, in terms of the parameter.
func explain(t reflect.Type, err error) *Error {
	var (
		wrong  *json.UnmarshalTypeError
		syntax *json.SyntaxError
	)
	switch {
	case errors.As(err, &wrong):
		e := &Error{Why: fmt.Sprintf("a JSON %s does not fit, %s is wanted", wrong.Value, wrong.Type)}
		if wrong.Field != "" {
			e.Path = "." + wrong.Field
		}
		return e
	case errors.As(err, &syntax):
		return &Error{Why: fmt.Sprintf("it is no JSON, at byte %d", syntax.Offset), Err: syntax}
	case errors.Is(err, io.EOF):
		return &Error{Why: fmt.Sprintf("it is empty; %s is wanted, as JSON", t)}
	case errors.Is(err, io.ErrUnexpectedEOF):
		return &Error{Why: "the JSON ends in the middle"}
	}
	if field, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return &Error{Why: "unknown field " + field + knownFields(t)}
	}
	return &Error{Why: "it is no " + t.String(), Err: err}
}

// knownFields lists the fields of a struct.
func knownFields(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return ""
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if name := FieldName(f); name != "" {
			names = append(names, name)
		}
	}
	return fmt.Sprintf("; %s has %s", t, strings.Join(names, ", "))
}

// FieldName is the name that a struct's field has in JSON; "" if it has none.
func FieldName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch {
	case !f.IsExported() || f.Tag.Get("json") == "-" || f.Anonymous && name == "":
		return ""
	case name == "":
		return f.Name
	}
	return name
}
