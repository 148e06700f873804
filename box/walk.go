package box

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// A walk visits the sites of a value, the places where gob would change it, in the same order on both ends: it numbers
// them, and notes for those that need it what the far end has to do.
type walk struct {
	limit int // depth of recursive types
	depth int
	site  int
	notes []note
}

type note struct {
	site int
	mark mark
}

// A mark says what gob could not.
type mark int

const (
	present mark = iota // a pointer to a zero value, an empty slice or map: there, not nil
	absent              // a nil pointer where gob needs a value
	inBulk              // the value travels beside gob
	none    mark = -1
)

func (w *walk) next() int {
	w.site++
	return w.site
}

func (w *walk) mark(site int, m mark) { w.notes = append(w.notes, note{site, m}) }

// take returns the mark of a site, once.
func (w *walk) take(site int) mark {
	if len(w.notes) == 0 || w.notes[0].site != site {
		return none
	}
	m := w.notes[0].mark
	w.notes = w.notes[1:]
	return m
}

func (w *walk) enter(p *plan) *planError {
	if !p.recursive {
		return nil
	}
	if w.depth++; w.depth > max(w.limit, 1) {
		return &planError{why: fmt.Sprintf("%s is nested deeper than the declared %d", p.typ, w.limit)}
	}
	return nil
}

func (w *walk) exit(p *plan) {
	if p.recursive {
		w.depth--
	}
}

// deeper counts a step into an interface: []any may hold []any.
func (w *walk) deeper() *planError {
	if w.depth++; w.depth > max(w.limit, maxValueDepth) {
		return &planError{why: fmt.Sprintf("interfaces are nested deeper than %d", max(w.limit, maxValueDepth))}
	}
	return nil
}

func (w *walk) allowed(t reflect.Type) (*plan, *planError) {
	p, ok := valuePlan(t)
	if !ok {
		return nil, &planError{why: fmt.Sprintf("%s inside an interface cannot travel: box.RegisterValue[%s]() allows it", t, t)}
	}
	return p, nil
}

// sortedKeys gives both ends the same order. Keys are made of basic kinds: keyTravels saw to it.
func sortedKeys(m reflect.Value) []reflect.Value {
	keys := m.MapKeys()
	slices.SortFunc(keys, compareKeys)
	return keys
}

func compareKeys(a, b reflect.Value) int {
	switch {
	case encodesItself(a.Type()):
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	case a.CanInt():
		return cmp.Compare(a.Int(), b.Int())
	case a.CanUint():
		return cmp.Compare(a.Uint(), b.Uint())
	case a.CanFloat():
		return cmp.Compare(a.Float(), b.Float())
	}
	switch a.Kind() {
	case reflect.String:
		return strings.Compare(a.String(), b.String())
	case reflect.Array:
		for i := range a.Len() {
			if c := compareKeys(a.Index(i), b.Index(i)); c != 0 {
				return c
			}
		}
	case reflect.Struct:
		for i := range a.NumField() {
			if c := compareKeys(a.Field(i), b.Field(i)); c != 0 {
				return c
			}
		}
	default: // bool, complex
		return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
	}
	return 0
}
