package box

import (
	"context"
	"slices"
)

type permitsKey struct{}

// WithPermits narrows a context to some functions, as its worker is.
func WithPermits(ctx context.Context, names []string) context.Context {
	return context.WithValue(ctx, permitsKey{}, names)
}

// Permits reports whether a function may have another one run: one that starts others by name, now or later, has to ask,
// because its worker may be narrowed to some.
func Permits(ctx context.Context, name string) bool {
	names, narrowed := ctx.Value(permitsKey{}).([]string)
	return !narrowed || slices.Contains(names, name)
}
