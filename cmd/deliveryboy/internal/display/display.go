// Package display shows the results of functions to people: a value as one line, a struct as a list of fields, a slice of
// structs as a table.
//
// Everything it writes has passed package plain, since results come from elsewhere. What it writes may change from
// version to version: programs read JSON.
package display

import (
	"encoding/hex"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
)

// maxDump is how much of binary data is shown.
const maxDump = 4 << 10

// Value writes v. A zero struct and an empty slice or map write nothing.
func Value(w io.Writer, v reflect.Value) error {
	_, err := io.WriteString(w, block(v))
	return err
}

// block is v as lines, each with its line break.
func block(v reflect.Value) string {
	v = concrete(v)
	if !v.IsValid() {
		return ""
	}
	if text, ok := scalar(v); ok {
		return ended(plain.Text(text))
	}
	switch v.Kind() {
	case reflect.Struct:
		return structBlock(v)
	case reflect.Slice, reflect.Array:
		return sliceBlock(v)
	case reflect.Map:
		return mapBlock(v)
	}
	return ended(plain.Line(fmt.Sprint(v.Interface())))
}

func ended(s string) string {
	if s == "" || strings.HasSuffix(s, "\n") {
		return s
	}
	return s + "\n"
}

// structBlock shows short fields one to a line, and below them those that take more than a line.
func structBlock(v reflect.Value) string {
	if v.IsZero() {
		return ""
	}
	var short [][]string
	var long strings.Builder
	for _, f := range fields(v.Type()) {
		value := concrete(v.FieldByIndex(f.index))
		if needsBlock(value) {
			fmt.Fprintf(&long, "%s:\n%s", plain.Line(f.name), indent(block(value)))
			continue
		}
		short = append(short, []string{f.name, cell(value)})
	}
	return columns(short) + long.String()
}

// needsBlock reports whether a field takes more than its line.
func needsBlock(v reflect.Value) bool {
	if !v.IsValid() {
		return false
	}
	if text, ok := scalar(v); ok {
		return strings.Contains(text, "\n")
	}
	switch v.Kind() {
	case reflect.Struct:
		return !v.IsZero()
	case reflect.Map:
		return v.Len() > 0
	case reflect.Slice, reflect.Array:
		if v.Len() == 0 {
			return false
		}
		_, simple := scalar(concrete(v.Index(0)))
		return !simple
	}
	return false
}

// sliceBlock shows structs as a table, and everything else one to a line.
func sliceBlock(v reflect.Value) string {
	elem := v.Type().Elem()
	for elem.Kind() == reflect.Pointer {
		elem = elem.Elem()
	}
	if _, simple := scalar(reflect.Zero(elem)); elem.Kind() == reflect.Struct && !simple {
		return structTable(v, elem)
	}
	var b strings.Builder
	for i := range v.Len() {
		b.WriteString(ended(cell(concrete(v.Index(i)))))
	}
	return b.String()
}

// structTable shows a row per struct. A column that is empty in all rows is left out.
func structTable(v reflect.Value, elem reflect.Type) string {
	if v.Len() == 0 {
		return ""
	}
	var shown []field
	for _, f := range fields(elem) {
		if slices.ContainsFunc(elements(v), func(e reflect.Value) bool {
			return e.IsValid() && !e.FieldByIndex(f.index).IsZero()
		}) {
			shown = append(shown, f)
		}
	}
	var head []string
	for _, f := range shown {
		head = append(head, f.name)
	}
	rows := [][]string{}
	for _, e := range elements(v) {
		row := make([]string, len(shown))
		for i, f := range shown {
			if e.IsValid() {
				row[i] = cell(concrete(e.FieldByIndex(f.index)))
			}
		}
		rows = append(rows, row)
	}
	return Table(head, rows)
}

func elements(v reflect.Value) []reflect.Value {
	all := make([]reflect.Value, v.Len())
	for i := range all {
		all[i] = concrete(v.Index(i))
	}
	return all
}

func mapBlock(v reflect.Value) string {
	var short [][]string
	var long strings.Builder
	keys := v.MapKeys()
	slices.SortFunc(keys, func(a, b reflect.Value) int { return strings.Compare(cell(concrete(a)), cell(concrete(b))) })
	for _, k := range keys {
		name, value := cell(concrete(k)), concrete(v.MapIndex(k))
		if needsBlock(value) {
			fmt.Fprintf(&long, "%s:\n%s", name, indent(block(value)))
			continue
		}
		short = append(short, []string{name, cell(value)})
	}
	return columns(short) + long.String()
}

// cell is v in one line.
func cell(v reflect.Value) string {
	if !v.IsValid() {
		return ""
	}
	if text, ok := scalar(v); ok {
		return plain.Line(text)
	}
	var parts []string
	switch v.Kind() {
	case reflect.Slice, reflect.Array:
		for _, e := range elements(v) {
			parts = append(parts, cell(e))
		}
		return strings.Join(parts, ", ")
	case reflect.Struct:
		for _, f := range fields(v.Type()) {
			if value := concrete(v.FieldByIndex(f.index)); value.IsValid() && !value.IsZero() {
				parts = append(parts, cell(value))
			}
		}
		return strings.Join(parts, " ")
	case reflect.Map:
		for _, line := range strings.Split(strings.TrimSuffix(mapBlock(v), "\n"), "\n") {
			parts = append(parts, strings.Join(strings.Fields(line), "="))
		}
		return strings.Join(parts, ", ")
	}
	return plain.Line(fmt.Sprint(v.Interface()))
}

// bytesText shows bytes as text if they are, and as a dump otherwise.
func bytesText(b []byte) string {
	if utf8.Valid(b) && !slices.Contains(b, 0) {
		return string(b)
	}
	dump := hex.Dump(b[:min(len(b), maxDump)])
	if len(b) > maxDump {
		dump += fmt.Sprintf("… %d bytes in all; --json shows them, in base64\n", len(b))
	}
	return dump
}
