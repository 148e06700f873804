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

// leave prepares v for gob. It returns v itself, or a copy in which what gob cannot carry is replaced; element says
// that v is in a slice, array or map, where gob takes no nil pointer.
func (w *walk) leave(v reflect.Value, p *plan, element bool) (out reflect.Value, changed bool, err *planError) {
	if !p.sites {
		return v, false, nil
	}
	switch p.kind {
	case pointer:
		return w.leavePointer(v, p, element)
	case list, array:
		return w.leaveSequence(v, p)
	case table:
		return w.leaveTable(v, p)
	case record:
		return w.leaveRecord(v, p)
	case dynamic:
		return w.leaveDynamic(v, p)
	case errorKind:
		w.next()
		if v.IsNil() {
			return v, false, nil
		}
		registerBasicValues()
		out = reflect.New(p.typ).Elem()
		out.Set(reflect.ValueOf(&errorCarrier{*FaultOf(v.Interface().(error))}))
		return out, true, nil
	}
	return v, false, nil
}

func (w *walk) leavePointer(v reflect.Value, p *plan, element bool) (reflect.Value, bool, *planError) {
	site := w.next()
	if v.IsNil() {
		if !element {
			return v, false, nil
		}
		w.mark(site, absent)
		return filler(p), true, nil
	}
	if vanishes(v.Elem()) {
		w.mark(site, present)
	}
	elem, changed, err := w.leave(v.Elem(), p.elem, false)
	if err != nil || !changed {
		return v, false, err
	}
	out := reflect.New(p.typ.Elem())
	out.Elem().Set(elem)
	return out.Convert(p.typ), true, nil
}

// filler is what gob gets in place of a nil pointer: a zero value that is itself without nil elements.
func filler(p *plan) reflect.Value {
	zero := reflect.New(p.typ.Elem())
	unnoted := &walk{}
	if out, changed, err := unnoted.leave(zero.Elem(), p.elem, false); err == nil && changed {
		zero.Elem().Set(out)
	}
	return zero.Convert(p.typ)
}

// vanishes reports whether gob would leave out a field that points to v.
func vanishes(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Slice, reflect.Map:
		return v.Len() == 0
	}
	return v.IsZero()
}

func (w *walk) leaveSequence(v reflect.Value, p *plan) (out reflect.Value, changed bool, err *planError) {
	out = v
	if p.kind == list {
		if site := w.next(); v.Len() == 0 {
			if !v.IsNil() {
				w.mark(site, present)
			}
			return v, false, nil
		}
	}
	if !p.elem.sites {
		return v, false, nil
	}
	for i := range v.Len() {
		elem, ch, err := w.leave(v.Index(i), p.elem, true)
		if err != nil {
			err.path = fmt.Sprintf("[%d]%s", i, err.path)
			return v, false, err
		}
		if ch && !changed {
			out, changed = copySequence(v), true
		}
		if ch {
			out.Index(i).Set(elem)
		}
	}
	return out, changed, nil
}

func copySequence(v reflect.Value) reflect.Value {
	if v.Kind() == reflect.Array {
		out := reflect.New(v.Type()).Elem()
		out.Set(v)
		return out
	}
	out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
	reflect.Copy(out, v)
	return out
}

func (w *walk) leaveTable(v reflect.Value, p *plan) (out reflect.Value, changed bool, err *planError) {
	if site := w.next(); v.Len() == 0 {
		if !v.IsNil() {
			w.mark(site, present)
		}
		return v, false, nil
	}
	if !p.elem.sites {
		return v, false, nil
	}
	out = v
	for _, key := range sortedKeys(v) {
		elem, ch, err := w.leave(v.MapIndex(key), p.elem, true)
		if err != nil {
			err.path = fmt.Sprintf("[%v]%s", key, err.path)
			return v, false, err
		}
		if ch && !changed {
			out, changed = reflect.MakeMapWithSize(v.Type(), v.Len()), true
			for it := v.MapRange(); it.Next(); {
				out.SetMapIndex(it.Key(), it.Value())
			}
		}
		if ch {
			out.SetMapIndex(key, elem)
		}
	}
	return out, changed, nil
}

func (w *walk) leaveRecord(v reflect.Value, p *plan) (out reflect.Value, changed bool, err *planError) {
	if err := w.enter(p); err != nil {
		return v, false, err
	}
	defer w.exit(p)
	out = v
	for _, f := range p.fields {
		field, ch, err := w.leave(v.Field(f.index), f.plan, false)
		if err != nil {
			err.path = "." + f.name + err.path
			return v, false, err
		}
		if ch && !changed {
			out, changed = reflect.New(v.Type()).Elem(), true
			out.Set(v)
		}
		if ch {
			out.Field(f.index).Set(field)
		}
	}
	return out, changed, nil
}

func (w *walk) leaveDynamic(v reflect.Value, p *plan) (reflect.Value, bool, *planError) {
	w.next()
	if v.IsNil() {
		return v, false, nil
	}
	inner := v.Elem()
	ip, err := w.allowed(inner.Type())
	if err != nil {
		return v, false, err
	}
	if inner.Kind() == reflect.Pointer && inner.IsNil() {
		return v, false, &planError{why: fmt.Sprintf("a nil %s inside an interface cannot travel", inner.Type())}
	}
	if err := w.deeper(); err != nil {
		return v, false, err
	}
	defer func() { w.depth-- }()
	elem, changed, err := w.leave(inner, ip, false)
	if err != nil || !changed {
		return v, false, err
	}
	out := reflect.New(p.typ).Elem()
	out.Set(elem)
	return out, true, nil
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

// arrive puts right what gob changed. v is addressable.
func (w *walk) arrive(v reflect.Value, p *plan) *planError {
	if !p.sites {
		return nil
	}
	switch p.kind {
	case pointer:
		switch w.take(w.next()) {
		case absent:
			v.SetZero()
			return nil
		case present:
			if v.IsNil() {
				v.Set(reflect.New(p.typ.Elem()).Convert(p.typ))
			}
		}
		if v.IsNil() {
			return nil
		}
		return w.arrive(v.Elem(), p.elem)
	case list, array:
		return w.arriveSequence(v, p)
	case table:
		return w.arriveTable(v, p)
	case record:
		return w.arriveRecord(v, p)
	case dynamic:
		return w.arriveDynamic(v)
	case errorKind:
		w.next()
		if v.IsNil() {
			return nil
		}
		c, ok := v.Interface().(*errorCarrier)
		if !ok {
			return &planError{why: fmt.Sprintf("a %s came where an error was expected", v.Elem().Type())}
		}
		v.Set(reflect.ValueOf(c.Fault.Err(Origin{})))
	}
	return nil
}

func (w *walk) arriveSequence(v reflect.Value, p *plan) *planError {
	if p.kind == list {
		if m := w.take(w.next()); v.Len() == 0 {
			if m == present {
				v.Set(reflect.MakeSlice(p.typ, 0, 0))
			} else {
				v.SetZero()
			}
			return nil
		}
	}
	if !p.elem.sites {
		return nil
	}
	for i := range v.Len() {
		if err := w.arrive(v.Index(i), p.elem); err != nil {
			err.path = fmt.Sprintf("[%d]%s", i, err.path)
			return err
		}
	}
	return nil
}

func (w *walk) arriveTable(v reflect.Value, p *plan) *planError {
	if m := w.take(w.next()); v.Len() == 0 {
		if m == present {
			v.Set(reflect.MakeMap(p.typ))
		} else {
			v.SetZero()
		}
		return nil
	}
	if !p.elem.sites {
		return nil
	}
	for _, key := range sortedKeys(v) {
		elem := reflect.New(p.typ.Elem()).Elem()
		elem.Set(v.MapIndex(key))
		if err := w.arrive(elem, p.elem); err != nil {
			err.path = fmt.Sprintf("[%v]%s", key, err.path)
			return err
		}
		v.SetMapIndex(key, elem)
	}
	return nil
}

func (w *walk) arriveRecord(v reflect.Value, p *plan) *planError {
	if err := w.enter(p); err != nil {
		return err
	}
	defer w.exit(p)
	for _, f := range p.fields {
		if err := w.arrive(v.Field(f.index), f.plan); err != nil {
			err.path = "." + f.name + err.path
			return err
		}
	}
	return nil
}

func (w *walk) arriveDynamic(v reflect.Value) *planError {
	w.next()
	if v.IsNil() {
		return nil
	}
	inner := v.Elem()
	ip, err := w.allowed(inner.Type())
	if err != nil || !ip.sites {
		return err
	}
	if err := w.deeper(); err != nil {
		return err
	}
	defer func() { w.depth-- }()
	elem := reflect.New(inner.Type()).Elem()
	elem.Set(inner)
	if err := w.arrive(elem, ip); err != nil {
		return err
	}
	v.Set(elem)
	return nil
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
