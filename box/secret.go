package box

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"reflect"

	"github.com/seed354a1416/deliveryboy/internal/gobguard"
)

// hidden is what is shown of a secret, empty or not.
const hidden = "[secret]"

// A Secret is a value that travels in calls and is never shown: every verb of fmt, encoding/json, encoding.TextMarshaler
// and log/slog get "[secret]" instead of it, also where it is deep inside of other values or in a field that is not
// exported. [Secret.Reveal] is the only way to it.
//
//	var setPassword = registry.Register("user.password", func(user string, to box.Secret[string]) error { … to.Reveal() … })
//	err := setPassword.On(root)("www", box.NewSecret(password))
//
// A secret protects from accidents: logs, dumps, error texts. It does not protect from code that uses reflection and
// unsafe, from a debugger, or from whoever reads this process's memory. It is not encrypted: a job has its arguments on the
// target's disk, secrets too, for its user alone, until it has ended, and its result until it is acknowledged. The zero value
// holds the zero value of T.
//
// Two secrets are equal (==) only if one is a copy of the other. In JSON a secret is read as a T, and written as
// "[secret]". On its way through a call it is as gob has a T: an empty slice may arrive as nil.
type Secret[T any] struct {
	// A pointer, because fmt, where it may not call methods, shows of a pointer within a value only the address.
	value *T
}

// NewSecret hides a value.
func NewSecret[T any](value T) Secret[T] { return Secret[T]{&value} }

// Reveal returns the value.
func (s Secret[T]) Reveal() T {
	if s.value == nil {
		var zero T
		return zero
	}
	return *s.value
}

// Wipe forgets the value, in all copies of this secret. The bytes of a []byte are overwritten; those of other values stay
// in memory until Go needs the place. It must not run at the same time as Reveal.
func (s Secret[T]) Wipe() {
	if s.value == nil {
		return
	}
	if b, ok := any(*s.value).([]byte); ok {
		clear(b)
	}
	var zero T
	*s.value = zero
}

// Format writes "[secret]" for every verb.
func (Secret[T]) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, hidden) // fmt keeps the error, and panics inside it would show the value
}

// String returns "[secret]".
func (Secret[T]) String() string { return hidden }

// GoString returns "[secret]".
func (Secret[T]) GoString() string { return hidden }

// LogValue returns "[secret]".
func (Secret[T]) LogValue() slog.Value { return slog.StringValue(hidden) }

// MarshalJSON returns "[secret]", in quotes.
func (Secret[T]) MarshalJSON() ([]byte, error) { return []byte(`"` + hidden + `"`), nil }

// MarshalText returns "[secret]".
func (Secret[T]) MarshalText() ([]byte, error) { return []byte(hidden), nil }

// UnmarshalJSON reads a T. The error does not show what was read.
func (s *Secret[T]) UnmarshalJSON(text []byte) error {
	value := new(T)
	if json.Unmarshal(text, value) != nil {
		return fmt.Errorf("box: secret: the JSON is not a %s", reflect.TypeFor[T]())
	}
	s.value = value
	return nil
}

// The first byte of an encoded secret.
const (
	secretBytes = 'b' // the bytes of a string or []byte follow
	secretGob   = 'g' // a gob of a secretBox follows
)

// secretBox holds a value for gob, which wants a struct around some.
type secretBox[T any] struct{ Value T }

// GobEncode is for the way through a call.
func (s Secret[T]) GobEncode() ([]byte, error) {
	switch v := any(s.Reveal()).(type) {
	case string:
		return append([]byte{secretBytes}, v...), nil
	case []byte:
		return append([]byte{secretBytes}, v...), nil
	}
	var buf bytes.Buffer
	buf.WriteByte(secretGob)
	if gob.NewEncoder(&buf).Encode(secretBox[T]{s.Reveal()}) != nil {
		return nil, fmt.Errorf("box: secret: gob cannot encode a %s", reflect.TypeFor[T]())
	}
	return buf.Bytes(), nil
}

// GobDecode is for the way through a call.
func (s *Secret[T]) GobDecode(b []byte) error {
	value := new(T)
	if len(b) == 0 {
		return errors.New("box: secret: no bytes")
	}
	switch v := any(value).(type) {
	case *string:
		*v = string(b[1:])
	case *[]byte:
		*v = bytes.Clone(b[1:])
	default:
		return s.decode(b)
	}
	if b[0] != secretBytes {
		return fmt.Errorf("box: secret: not the bytes of a %s", reflect.TypeFor[T]())
	}
	s.value = value
	return nil
}

// decode reads a gob, which was looked at before: it comes from the other side.
func (s *Secret[T]) decode(b []byte) error {
	var held secretBox[T]
	guard := gobguard.New(reflect.TypeFor[secretBox[T]](), gobguard.Options{Allow: valueNamed})
	if b[0] != secretGob || guard.Check(b[1:]) != nil || gob.NewDecoder(bytes.NewReader(b[1:])).Decode(&held) != nil {
		return fmt.Errorf("box: secret: not the gob of a %s", reflect.TypeFor[T]())
	}
	s.value = &held.Value
	return nil
}
