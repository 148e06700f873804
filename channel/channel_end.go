package channel

import (
	"encoding/binary"
	"errors"
	"fmt"
	"reflect"

	"github.com/seed354a1416/deliveryboy/box"
)

// An end is a *Channel of any type. All but check are for one that is not nil.
type end interface {
	check(depth int) error
	pass(s *Stream) error
	other(s *Stream) (reflect.Value, error)
	letGo(s *Stream)
}

// check reports whether items can travel.
func (c *Channel[T]) check(int) error {
	_, err := itemsOf(reflect.TypeFor[T]())
	return err
}

// pass makes the channel live: the other end gets the other end of the stream.
func (c *Channel[T]) pass(s *Stream) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.bound == nil {
		return errors.New("channel: this one was not made by Make")
	}
	if c.came {
		c.came, c.carried = false, make(chan struct{})
		further := &Channel[T]{bound: c.bound, wanted: make(chan struct{}), stream: s, items: c.items, passed: true}
		c.onward(further, c.carried)
		return nil
	}
	if c.passed {
		return errors.New("channel: this end was passed already: make another channel")
	}
	c.passed, c.stream = true, s
	close(c.bound)
	return nil
}

// other returns the end that belongs to a stream of the other side's.
func (c *Channel[T]) other(s *Stream) (reflect.Value, error) {
	it, err := itemsOf(reflect.TypeFor[T]())
	if err != nil {
		return reflect.Value{}, err
	}
	far := &Channel[T]{bound: make(chan struct{}), wanted: make(chan struct{}), stream: s, items: it, passed: true, came: true}
	close(far.bound)
	return reflect.ValueOf(far), nil
}

// exportEnd passes a channel.
func (b *Bridges) exportEnd(v reflect.Value) ([]uint32, error) {
	s, err := b.open()
	if err == nil {
		err = v.Interface().(end).pass(s)
	}
	if err != nil {
		return nil, &box.EncodingError{What: "live value", Why: err.Error()}
	}
	return []uint32{s.id}, nil
}

// importEnd takes a channel that was passed.
func (b *Bridges) importEnd(t reflect.Type, s *Stream) (reflect.Value, error) {
	v, err := reflect.Zero(t).Interface().(end).other(s)
	if err != nil {
		_ = s.Close()
		return v, err
	}
	b.later(func() { v.Interface().(end).letGo(s) })
	return v, nil
}

// items carries values of one type as the items of a stream. Channels among them, or among the fields of a struct,
// travel as the numbers of their streams, before the rest.
type items struct {
	typ    reflect.Type
	codec  *box.Codec
	single bool  // the item is itself a channel
	ends   []int // the fields that are channels
	fields []int // the others; unused without ends
}

func itemsOf(t reflect.Type) (items, error) {
	i := items{typ: t}
	if t.Implements(endType) {
		i.single = true
		return i, nil
	}
	types := []reflect.Type{t}
	if t.Kind() == reflect.Struct {
		for n := range t.NumField() {
			if f := t.Field(n); f.IsExported() && f.Type.Implements(endType) {
				i.ends = append(i.ends, n)
			} else {
				i.fields = append(i.fields, n)
			}
		}
	}
	if len(i.ends) > 0 {
		types = nil
		for _, n := range i.fields {
			f := t.Field(n)
			if !f.IsExported() {
				return i, &box.EncodingError{What: "item", Path: "." + f.Name, Why: "the field is not exported and would be lost"}
			}
			types = append(types, f.Type)
		}
	}
	var err error
	i.codec, err = box.NewCodec("item", types, maxCallbackDepth)
	return i, err
}

func (i items) pack(v reflect.Value) ([][]byte, error) {
	values, err := i.codec.Encode([]reflect.Value{v})
	if err != nil {
		return nil, err
	}
	return values.Item()
}

// packOn is pack for items with channels, which it passes.
func (i items) packOn(m *Mux, v reflect.Value) ([][]byte, error) {
	switch {
	case i.single:
		number, err := passOn(m, v)
		return [][]byte{number}, err
	case len(i.ends) == 0:
		return i.pack(v)
	}
	var head []byte
	for _, n := range i.ends {
		number, err := passOn(m, v.Field(n))
		if err != nil {
			return nil, err
		}
		head = append(head, number...)
	}
	var rest []reflect.Value
	for _, n := range i.fields {
		rest = append(rest, v.Field(n))
	}
	values, err := i.codec.Encode(rest)
	if err != nil {
		return nil, err
	}
	pieces, err := values.Item()
	return append([][]byte{head}, pieces...), err
}

// passOn opens a stream for a channel, and returns its number.
func passOn(m *Mux, v reflect.Value) ([]byte, error) {
	if v.IsNil() {
		return make([]byte, 4), nil
	}
	s, err := m.Open(ForValue, 0)
	if err != nil {
		return nil, err
	}
	if err := v.Interface().(end).pass(s); err != nil {
		_ = s.Close()
		return nil, err
	}
	return binary.BigEndian.AppendUint32(nil, s.id), nil
}

func (i items) unpack(item []byte) (reflect.Value, error) {
	got, err := i.values(item)
	if err != nil {
		return reflect.Value{}, err
	}
	return got[0], nil
}

func (i items) values(item []byte) ([]reflect.Value, error) {
	values, err := box.ValuesFromItem(item)
	if err != nil {
		return nil, err
	}
	return i.codec.Decode(values)
}

// unpackFrom is unpack for items with channels, of which it takes the other ends.
func (i items) unpackFrom(m *Mux, item []byte) (reflect.Value, error) {
	if !i.single && len(i.ends) == 0 {
		return i.unpack(item)
	}
	out := reflect.New(i.typ).Elem()
	into := []reflect.Value{out}
	if !i.single {
		into = into[:0]
		for _, n := range i.ends {
			into = append(into, out.Field(n))
		}
	}
	for _, v := range into {
		if len(item) < 4 {
			return reflect.Value{}, &box.EncodingError{What: "item", Why: fmt.Sprintf("got %d bytes, want 4 for the number of a channel", len(item))}
		}
		if id := binary.BigEndian.Uint32(item); id != 0 {
			far, err := takeOver(m, id, v.Type())
			if err != nil {
				return reflect.Value{}, err
			}
			v.Set(far)
		}
		item = item[4:]
	}
	if i.single {
		return out, nil
	}
	got, err := i.values(item)
	if err != nil {
		return reflect.Value{}, err
	}
	for at, n := range i.fields {
		out.Field(n).Set(got[at])
	}
	return out, nil
}

// takeOver returns the end of a channel that the other side has passed.
func takeOver(m *Mux, id uint32, t reflect.Type) (reflect.Value, error) {
	s, err := m.Adopt(id)
	if err != nil {
		return reflect.Value{}, err
	}
	return reflect.Zero(t).Interface().(end).other(s)
}
