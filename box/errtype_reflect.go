package box

import (
	"reflect"
	"sync"
	"time"
)

// putType is for the types that have a name everywhere.
func putType(w *fieldWriter, v reflect.Value) error {
	if v.IsNil() {
		w.string("")
		return nil
	}
	t := v.Interface().(reflect.Type)
	if typesByName()[t.String()] != t {
		return errBadFields
	}
	w.string(t.String())
	return nil
}

func getType(r *fieldReader, v reflect.Value) error {
	name, err := r.bytes()
	if err != nil || len(name) == 0 {
		return err
	}
	t := typesByName()[string(name)]
	if t == nil {
		return errBadFields
	}
	v.Set(reflect.ValueOf(t))
	return nil
}

// typesByName is a closed list: types made on request of the far side would never be freed.
var typesByName = sync.OnceValue(func() map[string]reflect.Type {
	byName := map[string]reflect.Type{}
	add := func(t reflect.Type) { byName[t.String()] = t }
	elements := []reflect.Type{
		reflect.TypeFor[any](), errorInterface, reflect.TypeFor[time.Time](), reflect.TypeFor[time.Duration](),
	}
	for _, t := range basics() {
		elements = append(elements, t)
	}
	for _, t := range elements {
		add(t)
		add(reflect.PointerTo(t))
		add(reflect.SliceOf(t))
		add(reflect.MapOf(reflect.TypeFor[string](), t))
		add(reflect.ChanOf(reflect.BothDir, t))
	}
	add(reflect.TypeFor[func()]())
	return byName
})
