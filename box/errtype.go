package box

import (
	"errors"
	"fmt"
	"reflect"
	"sync"
)

// RegisterError lets errors of type T come back as themselves, so that errors.As finds them with their fields:
//
//	func init() { box.RegisterError[*example.QuotaError]() }
//
// T is a named struct, a pointer to one, or a named type of any other kind that can travel. Its exported fields travel;
// those of type error as error trees. Unexported fields do not, except through GobEncode, MarshalBinary or MarshalText
// of a struct that can also decode it. What Unwrap gives travels as well. T and *T are two types: register the one that
// functions return.
//
// It panics, with the path of the field, if T cannot travel. Call it from init or from a package variable: both sides
// must have it before the first call.
func RegisterError[T error]() {
	typ := reflect.TypeFor[T]()
	if err := registerError(typ); err != nil {
		panic(fmt.Sprintf("box: register error %s: %v", typ, err))
	}
}

func registerError(typ reflect.Type) error {
	if err := travels(typ); err != nil {
		return err
	}
	return errtypes.add(&errtype{key: typeKey(typ), typ: typ, loose: true})
}

// errtype is an error type that is rebuilt from its fields.
type errtype struct {
	key    string
	typ    reflect.Type // as errors of it are: *fs.PathError, syscall.Errno
	hidden []string     // unexported fields that must travel all the same
	loose  bool         // what it wraps need not be among its fields
}

// errtypeTable knows the registered types. Those of the standard library, and our own, come in when it is first asked:
// a worker that returns no error does not pay for them.
type errtypeTable struct {
	once   sync.Once
	mu     sync.RWMutex // guards the rest
	byKey  map[string]*errtype
	byType map[reflect.Type]*errtype
}

var errtypes errtypeTable

func (t *errtypeTable) load() {
	t.once.Do(func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		known := wellKnownErrors()
		t.byKey = make(map[string]*errtype, len(known))
		t.byType = make(map[reflect.Type]*errtype, len(known))
		for _, e := range known {
			e.key = typeKey(e.typ)
			t.byKey[e.key], t.byType[e.typ] = e, e
		}
	})
}

func (t *errtypeTable) add(e *errtype) error {
	t.load()
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.byType[e.typ] != nil {
		return nil
	}
	if t.byKey[e.key] != nil {
		return fmt.Errorf("another type is registered as %q; do not register types declared in functions", e.key)
	}
	t.byKey[e.key], t.byType[e.typ] = e, e
	return nil
}

// errtypeOf is how err travels; nil if its type is not registered.
func errtypeOf(err error) *errtype {
	errtypes.load()
	errtypes.mu.RLock()
	defer errtypes.mu.RUnlock()
	return errtypes.byType[reflect.TypeOf(err)]
}

// errtypeNamed is the registered type of that name; nil if there is none here.
func errtypeNamed(key string) *errtype {
	if key == "" {
		return nil
	}
	errtypes.load()
	errtypes.mu.RLock()
	defer errtypes.mu.RUnlock()
	return errtypes.byKey[key]
}

// typeKey is the name under which a type travels: with its whole package path, unlike %T.
func typeKey(t reflect.Type) string {
	if t.Kind() == reflect.Pointer {
		return "*" + typeKey(t.Elem())
	}
	return t.PkgPath() + "." + t.Name()
}

// null is the nil pointer of the type; nil if it is no pointer.
func (t *errtype) null() error {
	if t.typ.Kind() != reflect.Pointer {
		return nil
	}
	err, _ := reflect.Zero(t.typ).Interface().(error)
	return err
}

var errTrailing = errors.New("bytes are left over")

// encode gives the fields of err. child is called for each error among them, and gives its place in the tree.
func (t *errtype) encode(err error, child func(error) (int, error)) (b []byte, failed error) {
	w := &fieldWriter{child: child}
	if !quietly(func() { failed = t.write(w, reflect.ValueOf(err)) }) {
		failed = errBadFields
	}
	return w.b, failed
}

func (t *errtype) write(w *fieldWriter, v reflect.Value) error {
	if t.typ.Kind() == reflect.Pointer {
		v = v.Elem()
	}
	if err := w.value(v); err != nil {
		return err
	}
	for _, name := range t.hidden {
		f := v.FieldByName(name)
		if !f.IsValid() {
			return errBadFields
		}
		if err := w.value(f); err != nil {
			return err
		}
	}
	return nil
}

// decode rebuilds an error from its fields. child is called for each error among them, with its place in the tree.
func (t *errtype) decode(b []byte, child func(int) (error, error)) (err error, failed error) {
	r := &fieldReader{b: b, child: child}
	if !quietly(func() { err, failed = t.read(r) }) {
		return nil, errBadFields
	}
	return err, failed
}

func (t *errtype) read(r *fieldReader) (error, error) {
	base := t.typ
	if t.typ.Kind() == reflect.Pointer {
		base = t.typ.Elem()
	}
	p := reflect.New(base)
	if err := r.value(p.Elem()); err != nil {
		return nil, err
	}
	for _, name := range t.hidden {
		f, err := hiddenField(p.Elem(), name)
		if err != nil {
			return nil, err
		}
		if err := r.value(f); err != nil {
			return nil, err
		}
	}
	if len(r.b) > 0 {
		return nil, errTrailing
	}
	if t.typ.Kind() != reflect.Pointer {
		p = p.Elem()
	}
	err, _ := p.Interface().(error)
	return err, nil
}
