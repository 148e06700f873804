package gobguard

import (
	"encoding"
	"encoding/gob"
	"reflect"
)

// value reads one value of a type of the stream. into is the type that gob will decode it into, nil if it will skip it.
// Where the two do not fit, gob refuses the stream by itself.
func (s *scan) value(id int64, into reflect.Type) {
	if s.depth++; s.depth > s.options.Depth {
		s.fail("it is nested deeper than %d", s.options.Depth)
		return
	}
	defer func() { s.depth-- }()
	for into != nil && into.Kind() == reflect.Pointer && !own(into) {
		into = into.Elem()
		s.take(1, sizeOf(into))
	}
	switch id {
	case boolID, intID, uintID, floatID:
		s.uint()
	case complexID:
		s.uint()
		s.uint()
	case bytesID, stringID:
		s.bytes()
	case interfaceID:
		s.iface(into)
	default:
		t := s.types[id]
		if t == nil {
			s.fail("a value of type %d, which is not defined", id)
			return
		}
		s.defined(t, into)
	}
}

func (s *scan) bytes() {
	n := s.count(1, "bytes")
	s.take(int64(n), 1)
	s.skip(n)
}

func (s *scan) defined(t *wireType, into reflect.Type) {
	switch t.kind {
	case gobEncoder, binaryMarshaler, textMarshaler:
		s.bytes()
	case slice, array:
		n := s.count(1, "elements")
		elem := elemOf(into, reflect.Slice, reflect.Array)
		if into != nil && into.Kind() == reflect.Array && n > into.Len() {
			s.fail("%d elements for an array of %d", n, into.Len())
			return
		}
		if into == nil || into.Kind() != reflect.Array {
			s.take(int64(n), sizeOf(elem))
		}
		s.elements(n, t.elem, elem)
	case mapping:
		n := s.count(2, "entries of a map")
		elem := elemOf(into, reflect.Map)
		var key reflect.Type
		if elem != nil {
			key = into.Key()
			s.take(int64(n), 2*(sizeOf(key)+sizeOf(elem))+16)
		}
		for i := 0; i < n && s.err == nil; i++ {
			s.value(t.key, key)
			s.value(t.elem, elem)
		}
	case structure:
		fields := s.fieldsOf(into)
		s.structure(func(n int) {
			if n >= len(t.fields) {
				s.fail("field %d of a struct that has %d", n, len(t.fields))
				return
			}
			s.value(t.fields[n].id, fields[t.fields[n].name])
		})
	}
}

// elements reads n values of one type; numbers without a detour.
func (s *scan) elements(n int, id int64, into reflect.Type) {
	if id == intID || id == uintID || id == floatID || id == boolID {
		for i := 0; i < n && s.err == nil; i++ {
			s.uint()
		}
		return
	}
	for i := 0; i < n && s.err == nil; i++ {
		s.value(id, into)
	}
}

// iface reads what an interface holds: the name of a type, its number, a length, and the value. Types that are new are
// defined before the number. An encoder ends its message with such a definition, wherever it is, and goes on in the next
// one; in an interface within an interface, only the length of that one stands in between. The lengths say nothing: gob's
// decoder does not heed them either.
func (s *scan) iface(into reflect.Type) {
	name := s.name()
	if name == "" || s.err != nil {
		return
	}
	var typ reflect.Type
	if s.options.Allow != nil {
		typ, _ = s.options.Allow(name)
	}
	if typ == nil {
		s.fail("a %.100q in an interface, which may not hold it", name)
		return
	}
	if into == nil {
		typ = nil // it is skipped
	}
	id := s.int()
	for id < 0 && s.err == nil {
		s.define(-id)
		if s.at < s.limit {
			s.uint()
		} else {
			s.begin()
		}
		id = s.int()
	}
	s.uint()
	s.take(1, sizeOf(typ))
	s.top(id, typ)
}

// elemOf is the element type of into, if it is of one of the kinds; else nil.
func elemOf(into reflect.Type, kinds ...reflect.Kind) reflect.Type {
	if into != nil {
		for _, k := range kinds {
			if into.Kind() == k {
				return into.Elem()
			}
		}
	}
	return nil
}

// fieldsOf is the exported fields of a struct, by name.
func (g *Guard) fieldsOf(into reflect.Type) map[string]reflect.Type {
	if into == nil || into.Kind() != reflect.Struct {
		return nil
	}
	if known, ok := g.fields.Load(into); ok {
		return known.(map[string]reflect.Type)
	}
	fields := map[string]reflect.Type{}
	for f := range into.Fields() {
		if f.IsExported() {
			fields[f.Name] = f.Type
		}
	}
	g.fields.Store(into, fields)
	return fields
}

var (
	gobDecoder        = reflect.TypeFor[gob.GobDecoder]()
	binaryUnmarshaler = reflect.TypeFor[encoding.BinaryUnmarshaler]()
)

// own reports whether a pointer type decodes itself.
func own(t reflect.Type) bool { return t.Implements(gobDecoder) || t.Implements(binaryUnmarshaler) }
