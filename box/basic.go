package box

import (
	"encoding/gob"
	"reflect"
	"time"
)

// registerBasicValues lets the types that everyone expects travel inside an interface. It runs when the first
// interface is met, not at start: most programs have none.
func registerBasicValues() {
	values.basic.Do(func() {
		for _, v := range []any{
			false, "", []byte(nil), 0, int8(0), int16(0), int32(0), int64(0), uint(0), uint8(0), uint16(0), uint32(0),
			uint64(0), uintptr(0), float32(0), float64(0), complex64(0), complex128(0),
			[]bool(nil), []string(nil), []int(nil), []int8(nil), []int16(nil), []int32(nil), []int64(nil), []uint(nil),
			[]uint16(nil), []uint32(nil), []uint64(nil), []float32(nil), []float64(nil),
			time.Time{}, time.Duration(0), time.Month(0), time.Weekday(0),
			[]any(nil), map[string]any(nil), map[string]string(nil),
		} {
			t := reflect.TypeOf(v)
			p, err := newPlan(t, 0)
			if err != nil {
				panic("box: " + err.Error())
			}
			addValue(t, p)
		}
		gob.RegisterName(errorName, &errorCarrier{})
		values.Lock()
		defer values.Unlock()
		values.names[errorName] = reflect.TypeFor[*errorCarrier]()
	})
}

// holdsInterface reports whether there are interfaces in the values of a plan, so that whoever decodes them needs the
// basic types.
func (p *plan) holdsInterface(seen map[*plan]bool) bool {
	if p == nil || !p.sites || seen[p] {
		return false
	}
	seen[p] = true
	if p.kind == dynamic || p.kind == errorKind || p.elem.holdsInterface(seen) {
		return true
	}
	for _, f := range p.fields {
		if f.plan.holdsInterface(seen) {
			return true
		}
	}
	return false
}

// errorName is what gob calls an error on its way.
const errorName = "deliveryboy.error"

// errorCarrier stands in for an error in a value on its way: gob cannot carry errors.
type errorCarrier struct{ Fault Fault }

func (c *errorCarrier) Error() string { return "an error on its way" }
