package transport

import (
	"context"
	"errors"
)

type askKey struct{}

// WithAsk gives a [Dialer] somebody to ask for a password while it dials: the question as text, the answer as bytes that the
// asker may clear. Package session does, where its option Ask is set.
func WithAsk(ctx context.Context, ask func(ctx context.Context, text string) ([]byte, error)) context.Context {
	return context.WithValue(ctx, askKey{}, ask)
}

// Asks reports whether there is somebody to ask.
func Asks(ctx context.Context) bool { return ctx.Value(askKey{}) != nil }

// Ask asks. Each question is answered once.
func Ask(ctx context.Context, text string) ([]byte, error) {
	ask, ok := ctx.Value(askKey{}).(func(context.Context, string) ([]byte, error))
	if !ok {
		return nil, errors.New("there is nobody to ask")
	}
	return ask(ctx, text)
}
