package box

import (
	"encoding"
	"encoding/gob"
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// A plan says how values of one type travel: what gob carries as it is, and where it would change a value (a site), so
// that the codec has to look at it on both ends.
type plan struct {
	kind      planKind
	typ       reflect.Type
	elem      *plan       // of a pointer, slice, array or map
	fields    []planField // of a struct: those with sites below them
	sites     bool        // anything here that gob could change
	recursive bool        // a struct that may hold itself
}

type planField struct {
	name  string
	index int
	plan  *plan
}

type planKind int

const (
	plain     planKind = iota // gob carries it as it is
	pointer                   // nil or not
	list                      // a slice: nil, empty or filled
	array                     //
	table                     // a map: nil, empty or filled
	record                    // a struct
	dynamic                   // an interface: the value's own type decides
	errorKind                 // an error
	nothing                   // struct{}: there is nothing to carry
)

var (
	errorType           = reflect.TypeFor[error]()
	gobEncoderType      = reflect.TypeFor[gob.GobEncoder]()
	binaryMarshalerType = reflect.TypeFor[encoding.BinaryMarshaler]()
)

// A planner makes the plan of one argument or result. It remembers the structs it is inside of, to see recursion.
type planner struct {
	depth int // how deep a recursive type may go; 0: not at all
	open  map[reflect.Type]*plan
	done  map[reflect.Type]*plan
}

// planError is why a type cannot travel, with the path to the part that is at fault.
type planError struct{ path, why string }

func (e *planError) Error() string { return strings.TrimPrefix(e.path+": "+e.why, ": ") }

func newPlan(t reflect.Type, depth int) (*plan, error) {
	pl := planner{depth: depth, open: map[reflect.Type]*plan{}, done: map[reflect.Type]*plan{}}
	if t.Kind() == reflect.Struct && t.NumField() == 0 {
		return &plan{kind: nothing, typ: t}, nil
	}
	p, err := pl.plan(t)
	if err != nil {
		return nil, err
	}
	return p, nil
}

func (pl *planner) plan(t reflect.Type) (*plan, *planError) {
	if p := pl.done[t]; p != nil {
		return p, nil
	}
	if p := pl.open[t]; p != nil {
		if pl.depth <= 0 {
			return nil, &planError{why: fmt.Sprintf("%s is recursive: declare how deep it may go with Rules{Depth: n}", t)}
		}
		p.recursive, p.sites = true, true
		return p, nil
	}
	if encodesItself(t) {
		return &plan{kind: plain, typ: t}, nil
	}
	switch t.Kind() {
	case reflect.Pointer:
		return pl.pointer(t)
	case reflect.Slice, reflect.Array:
		return pl.sequence(t)
	case reflect.Map:
		return pl.table(t)
	case reflect.Struct:
		return pl.record(t)
	case reflect.Interface:
		return pl.iface(t)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return nil, &planError{why: t.Kind().String() + " cannot travel inside a value"}
	default: // booleans, numbers, strings
		return &plan{kind: plain, typ: t}, nil
	}
}

func (pl *planner) pointer(t reflect.Type) (*plan, *planError) {
	switch t.Elem().Kind() {
	case reflect.Pointer:
		return nil, &planError{why: t.String() + ": a pointer to a pointer cannot travel: gob flattens it"}
	case reflect.Interface:
		return nil, &planError{why: t.String() + ": a pointer to an interface cannot travel: gob flattens it"}
	case reflect.Struct:
		if t.Elem().NumField() == 0 {
			return nil, &planError{why: t.String() + ": an empty struct cannot travel inside a value: use bool"}
		}
	}
	elem, err := pl.plan(t.Elem())
	if err != nil {
		return nil, err
	}
	return &plan{kind: pointer, typ: t, elem: elem, sites: true}, nil
}

func (pl *planner) sequence(t reflect.Type) (*plan, *planError) {
	elem, err := pl.plan(t.Elem())
	if err != nil {
		err.path = "[]" + err.path
		return nil, err
	}
	if t.Kind() == reflect.Array {
		return &plan{kind: array, typ: t, elem: elem, sites: elem.sites}, nil
	}
	return &plan{kind: list, typ: t, elem: elem, sites: true}, nil
}

func (pl *planner) table(t reflect.Type) (*plan, *planError) {
	if err := keyTravels(t.Key()); err != "" {
		return nil, &planError{path: "[key]", why: err}
	}
	elem, err := pl.plan(t.Elem())
	if err != nil {
		err.path = "[]" + err.path
		return nil, err
	}
	return &plan{kind: table, typ: t, elem: elem, sites: true}, nil
}

// keyTravels says why a type cannot be a key; "" if it can. A pointer's identity is lost on the way.
func keyTravels(t reflect.Type) string {
	if encodesItself(t) {
		return ""
	}
	switch t.Kind() {
	case reflect.Pointer, reflect.Interface, reflect.Chan, reflect.UnsafePointer:
		return t.String() + " cannot be a map key: its identity does not travel"
	case reflect.Array:
		return keyTravels(t.Elem())
	case reflect.Struct:
		for f := range t.Fields() {
			if !f.IsExported() {
				return fmt.Sprintf("%s.%s is not exported and would be lost", t, f.Name)
			}
			if why := keyTravels(f.Type); why != "" {
				return why
			}
		}
	}
	return ""
}

func (pl *planner) record(t reflect.Type) (*plan, *planError) {
	if t.NumField() == 0 {
		return nil, &planError{why: "an empty struct cannot travel inside a value: use bool"}
	}
	p := &plan{kind: record, typ: t}
	pl.open[t] = p
	defer delete(pl.open, t)
	var fields []planField
	for i := range t.NumField() {
		f := t.Field(i)
		if f.Name == "_" {
			continue
		}
		if !f.IsExported() {
			return nil, &planError{path: "." + f.Name, why: "the field is not exported and would be lost: export it, or give " + t.String() + " a GobEncode and a GobDecode method"}
		}
		fp, err := pl.plan(f.Type)
		if err != nil {
			err.path = "." + f.Name + err.path
			return nil, err
		}
		fields = append(fields, planField{f.Name, i, fp})
	}
	for _, f := range fields {
		// A field on the way back to an open struct learns only later that it has sites: keep it.
		if f.plan.sites || pl.depth > 0 {
			p.fields = append(p.fields, f)
			p.sites = p.sites || f.plan.sites
		}
	}
	pl.done[t] = p
	return p, nil
}

func (pl *planner) iface(t reflect.Type) (*plan, *planError) {
	switch {
	case t == errorType:
		return &plan{kind: errorKind, typ: t, sites: true}, nil
	case t.NumMethod() == 0 || someValueImplements(t):
		return &plan{kind: dynamic, typ: t, sites: true}, nil
	}
	return nil, &planError{why: fmt.Sprintf("%s is an interface, and no registered type implements it: use a concrete type, or box.RegisterValue the types it may hold", t)}
}

// encodesItself reports whether gob leaves a type's encoding to the type.
func encodesItself(t reflect.Type) bool {
	if t.Kind() == reflect.Pointer || t.Kind() == reflect.Interface {
		return false
	}
	p := reflect.PointerTo(t) // has the methods of t as well
	return p.Implements(gobEncoderType) || p.Implements(binaryMarshalerType)
}

// values are the types that an interface may hold on its way, with their plans. Everything else is refused on both
// ends: the type of a value must not be the other side's choice.
var values struct {
	sync.RWMutex
	plans map[reflect.Type]*plan
	names map[string]reflect.Type // as gob calls them
	basic sync.Once
}

// RegisterValue lets values of type T travel inside interfaces, such as any. T is exact: *T is another type, and only
// one of the two can be registered. It panics with the path of the field that cannot travel. The basic types, slices of
// them, time.Time, time.Duration, []any and map[string]any need no registration.
func RegisterValue[T any]() {
	registerBasicValues()
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.Interface {
		panic(fmt.Sprintf("box: RegisterValue: %s is an interface: register the concrete types", t))
	}
	p, err := newPlan(t, maxValueDepth)
	if err == nil && p.kind == nothing {
		err = &planError{why: "an empty struct cannot travel inside a value"}
	}
	if err != nil {
		panic(fmt.Sprintf("box: RegisterValue: %s: %v", t, err))
	}
	addValue(t, p)
}

// maxValueDepth is how deep a recursive type inside an interface may go.
const maxValueDepth = 64

func addValue(t reflect.Type, p *plan) {
	values.Lock()
	defer values.Unlock()
	if values.plans == nil {
		values.plans, values.names = map[reflect.Type]*plan{}, map[string]reflect.Type{}
	}
	if values.plans[t] != nil {
		return
	}
	gob.Register(reflect.Zero(t).Interface())
	values.plans[t], values.names[gobName(t)] = p, t
}

func valuePlan(t reflect.Type) (*plan, bool) {
	registerBasicValues()
	values.RLock()
	defer values.RUnlock()
	p, ok := values.plans[t]
	return p, ok
}

func someValueImplements(t reflect.Type) bool {
	values.RLock()
	defer values.RUnlock()
	for v := range values.plans {
		if v.Implements(t) {
			return true
		}
	}
	return false
}
