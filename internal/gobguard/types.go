package gobguard

// table is the types that a stream has defined, by their number.
type table map[int64]*wireType

// A wireType is a type as the stream describes it.
type wireType struct {
	kind   kind
	key    int64
	elem   int64
	length int64
	fields []wireField
}

type wireField struct {
	name string
	id   int64
}

type kind int

// The kinds of types that are defined, in the order in which gob's wireType has them.
const (
	array kind = iota
	slice
	structure
	mapping
	gobEncoder
	binaryMarshaler
	textMarshaler
)

// The numbers of gob's own types. Those of others begin at firstID.
const (
	boolID      = 1
	intID       = 2
	uintID      = 3
	floatID     = 4
	bytesID     = 5
	stringID    = 6
	complexID   = 7
	interfaceID = 8
	firstID     = 64
)

const (
	maxTypes  = 4096  // that one stream may define
	maxFields = 65536 // of one struct
	maxName   = 1024  // bytes of the name of a field, or of a type in an interface
)

// define reads the definition of a type: a struct of gob's, of which one field is there.
func (s *scan) define(id int64) {
	switch {
	case s.closed:
		s.fail("the definition of a type where none may be")
		return
	case id < firstID:
		s.fail("type %d is gob's own, and cannot be defined", id)
		return
	case s.types[id] != nil:
		s.fail("type %d is defined twice", id)
		return
	case len(s.types) >= maxTypes:
		s.fail("more than %d types", maxTypes)
		return
	}
	t := &wireType{kind: -1}
	s.structure(func(field int) {
		if t.kind >= 0 || field > int(textMarshaler) {
			s.fail("a definition of a type that gob does not write")
			return
		}
		t.kind = kind(field)
		s.definition(t)
	})
	if t.kind < 0 {
		s.fail("the definition of type %d is empty", id)
	}
	s.types[id] = t
}

// definition reads what is about one kind. Its first field is what all have: a name, and a number.
func (s *scan) definition(t *wireType) {
	s.structure(func(field int) {
		switch {
		case field == 0:
			s.structure(func(field int) {
				switch field {
				case 0:
					s.skip(s.count(1, "bytes of a name"))
				case 1:
					s.int()
				default:
					s.fail("a type has a name and a number, and no more")
				}
			})
		case t.kind == array && field == 1, t.kind == slice && field == 1, t.kind == mapping && field == 2:
			t.elem = s.int()
		case t.kind == array && field == 2:
			t.length = s.int()
		case t.kind == mapping && field == 1:
			t.key = s.int()
		case t.kind == structure && field == 1:
			s.fieldList(t)
		default:
			s.fail("a field in the definition of a type that gob does not write")
		}
	})
}

func (s *scan) fieldList(t *wireType) {
	n := s.count(1, "fields")
	if n > maxFields {
		s.fail("%d fields, more than the limit of %d", n, maxFields)
		return
	}
	for range n {
		var f wireField
		s.structure(func(field int) {
			switch field {
			case 0:
				f.name = s.name()
			case 1:
				f.id = s.int()
			default:
				s.fail("a field has a name and a type, and no more")
			}
		})
		if s.err != nil {
			return
		}
		t.fields = append(t.fields, f)
	}
}
