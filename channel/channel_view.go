package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"reflect"
)

// Reader reads the items of a channel of byte slices or strings, one after the other, as bytes. For other types every
// Read is an error.
func (c *Channel[T]) Reader(ctx context.Context) io.Reader { return &reader[T]{c: c, ctx: ctx} }

// Writer sends what is written as items of a channel of byte slices or strings, one for each Write. For other types every
// Write is an error.
func (c *Channel[T]) Writer(ctx context.Context) io.Writer { return &writer[T]{c: c, ctx: ctx} }

// A reader belongs to whoever made it with a context, for as long as that lasts.
type reader[T any] struct {
	c    *Channel[T]
	ctx  context.Context
	rest []byte
}

func (r *reader[T]) Read(p []byte) (int, error) {
	if err := isBytes[T](); err != nil {
		return 0, err
	}
	for len(r.rest) == 0 {
		v, err := r.c.Receive(r.ctx)
		if err != nil {
			return 0, err
		}
		r.rest = reflect.ValueOf(v).Convert(reflect.TypeFor[[]byte]()).Bytes()
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

type writer[T any] struct {
	c   *Channel[T]
	ctx context.Context
}

func (w *writer[T]) Write(p []byte) (int, error) {
	if err := isBytes[T](); err != nil {
		return 0, err
	}
	v := reflect.ValueOf(p).Convert(reflect.TypeFor[T]()).Interface().(T)
	if err := w.c.Send(w.ctx, v); err != nil {
		return 0, err
	}
	return len(p), nil
}

var errNoBytes = errors.New("channel: only byte slices and strings can be read and written as bytes")

func isBytes[T any]() error {
	t := reflect.TypeFor[T]()
	if t.Kind() == reflect.String || t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Uint8 {
		return nil
	}
	return fmt.Errorf("%w, and not %s", errNoBytes, t)
}
