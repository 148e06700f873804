package box

import (
	"fmt"
	"reflect"
)

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
