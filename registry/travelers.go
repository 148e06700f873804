package registry

import (
	"fmt"
	"reflect"

	"github.com/seed354a1416/deliveryboy/box"
)

// travelers are the arguments or the results of a function: most travel by value, packed by a codec; live ones stay where
// they are, and are bridged.
type travelers struct {
	what  string // "arg" or "result"
	types []reflect.Type
	live  []bool // by slot
	some  bool   // any is live
	file  int    // the first that is an open file; -1 if none is
	codec *box.Codec
}

func newTravelers(what string, types []reflect.Type, depth int) (t travelers, err error) {
	t = travelers{what: what, types: types, live: make([]bool, len(types)), file: -1}
	var byValue []reflect.Type
	for i, typ := range types {
		switch {
		case typ == contextType:
			return t, fmt.Errorf("%s %d: a context must be the first parameter", what, i)
		case liveKind(what, typ) == "":
			byValue = append(byValue, typ)
		default:
			if err := checkLive(what, typ, depth); err != nil {
				return t, fmt.Errorf("%s %d: %w", what, i, err)
			}
			t.live[i], t.some = true, true
			if typ == fileType && t.file < 0 {
				t.file = i
			}
		}
	}
	t.codec, err = box.NewCodecAt(what, byValue, t.slots(), depth)
	return t, err
}

// slots are the numbers of those that travel by value.
func (t *travelers) slots() []int {
	var slots []int
	for i, live := range t.live {
		if !live {
			slots = append(slots, i)
		}
	}
	return slots
}

func (t *travelers) liveType(slot int) reflect.Type {
	if slot < 0 || slot >= len(t.types) || !t.live[slot] {
		return nil
	}
	return t.types[slot]
}

func (t *travelers) zeros() []reflect.Value {
	zeros := make([]reflect.Value, len(t.types))
	for i, typ := range t.types {
		zeros[i] = reflect.Zero(typ)
	}
	return zeros
}

// pack encodes what travels by value, and sorts out what stays.
func (t *travelers) pack(vals []reflect.Value) (v box.Values, stay []box.Live, err error) {
	if !t.some {
		v, err = t.codec.Encode(vals)
		return v, nil, err
	}
	if len(vals) != len(t.types) {
		return v, nil, &box.EncodingError{What: t.what, Why: fmt.Sprintf("got %d values, want %d", len(vals), len(t.types))}
	}
	var byValue []reflect.Value
	for i, val := range vals {
		if t.live[i] {
			stay = append(stay, box.Live{Slot: i, Value: val})
		} else {
			byValue = append(byValue, val)
		}
	}
	v, err = t.codec.Encode(byValue)
	return v, stay, err
}

// unpack puts together what pack took apart. Each live slot has to be filled, once, with a value of its type.
func (t *travelers) unpack(v box.Values, stay []box.Live) ([]reflect.Value, error) {
	byValue, err := t.codec.Decode(v)
	if err != nil || !t.some && len(stay) == 0 {
		return byValue, err
	}
	vals := make([]reflect.Value, len(t.types))
	for _, l := range stay {
		if t.liveType(l.Slot) == nil || vals[l.Slot].IsValid() {
			return nil, &box.EncodingError{What: fmt.Sprintf("%s %d", t.what, l.Slot), Why: "a live value came where none is expected"}
		}
		if !l.Value.IsValid() || !l.Value.Type().AssignableTo(t.types[l.Slot]) {
			return nil, &box.EncodingError{What: fmt.Sprintf("%s %d", t.what, l.Slot), Why: fmt.Sprintf("it is live, and no %s", t.types[l.Slot])}
		}
		vals[l.Slot] = l.Value
	}
	for i := range vals {
		switch {
		case !t.live[i]:
			vals[i], byValue = byValue[0], byValue[1:]
		case !vals[i].IsValid():
			return nil, &box.EncodingError{What: fmt.Sprintf("%s %d", t.what, i), Why: fmt.Sprintf("the %s did not come along: this way cannot bridge it", t.types[i])}
		}
	}
	return vals, nil
}
