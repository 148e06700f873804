package registry

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// Fingerprint is a digest of all registered functions, by name and type layout, in hexadecimal. Two programs with the
// same fingerprint understand each other's boxes.
func Fingerprint() string {
	if Sealed() {
		return lastFingerprint()
	}
	return fingerprint()
}

// lastFingerprint is that of a registry which takes no more functions: every handshake asks for it.
var lastFingerprint = sync.OnceValue(fingerprint)

func fingerprint() string {
	h := sha256.New()
	for _, line := range Layouts() {
		fmt.Fprintln(h, line)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// Layouts returns one line per registered function, "name layout", sorted by name. The layout is the function's type
// with every struct spelt out, so that a changed field shows.
func Layouts() []string {
	names := Names()
	lines := make([]string, len(names))
	for i, name := range names {
		e, _ := Lookup(name)
		lines[i] = name + " " + layoutOf(e.typ)
	}
	return lines
}

func layoutOf(t reflect.Type) string {
	var b strings.Builder
	writeLayout(&b, t, map[reflect.Type]bool{})
	return b.String()
}

func writeLayout(b *strings.Builder, t reflect.Type, seen map[reflect.Type]bool) {
	if t.Name() != "" {
		b.WriteString(t.String())
		if t.PkgPath() == "" || t.Kind() == reflect.Interface || seen[t] {
			return
		}
		seen[t] = true
		b.WriteString("=")
	}
	switch t.Kind() {
	case reflect.Pointer:
		b.WriteString("*")
		writeLayout(b, t.Elem(), seen)
	case reflect.Slice:
		b.WriteString("[]")
		writeLayout(b, t.Elem(), seen)
	case reflect.Array:
		fmt.Fprintf(b, "[%d]", t.Len())
		writeLayout(b, t.Elem(), seen)
	case reflect.Map:
		b.WriteString("map[")
		writeLayout(b, t.Key(), seen)
		b.WriteString("]")
		writeLayout(b, t.Elem(), seen)
	case reflect.Struct:
		b.WriteString("{")
		for f := range t.Fields() {
			if f.IsExported() {
				b.WriteString(f.Name + " ")
				writeLayout(b, f.Type, seen)
				b.WriteString(";")
			}
		}
		b.WriteString("}")
	case reflect.Func:
		b.WriteString("func(")
		for p := range t.Ins() {
			writeLayout(b, p, seen)
			b.WriteString(",")
		}
		b.WriteString(")(")
		for r := range t.Outs() {
			writeLayout(b, r, seen)
			b.WriteString(",")
		}
		b.WriteString(")")
	default:
		if t.Name() != "" {
			b.WriteString(t.Kind().String())
		} else {
			b.WriteString(t.String())
		}
	}
}

// Differences are readable lines that say how the functions of the far side differ from those here. Both lists are as
// [Layouts] returns them.
func Differences(here, there []string) []string {
	mine, theirs := split(here), split(there)
	var diff []string
	for _, line := range here {
		name, _, _ := strings.Cut(line, " ")
		switch layout, ok := theirs[name]; {
		case !ok:
			diff = append(diff, fmt.Sprintf("function %q is only on this side", name))
		case layout != mine[name]:
			diff = append(diff, fmt.Sprintf("function %q is %s on this side and %s on the far side", name, mine[name], layout))
		}
	}
	for _, line := range there {
		name, _, _ := strings.Cut(line, " ")
		if _, ok := mine[name]; !ok {
			diff = append(diff, fmt.Sprintf("function %s is only on the far side", quote(name)))
		}
	}
	const most = 8
	if len(diff) > most {
		diff = append(diff[:most], fmt.Sprintf("and %d more", len(diff)-most))
	}
	return diff
}

func split(lines []string) map[string]string {
	m := map[string]string{}
	for _, line := range lines {
		name, layout, _ := strings.Cut(line, " ")
		m[name] = layout
	}
	return m
}
