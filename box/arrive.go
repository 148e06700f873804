package box

import (
	"fmt"
	"reflect"
)

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
