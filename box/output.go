package box

import (
	"context"
	"io"
	"os"
)

type outputKey struct{}

type outputs struct{ out, err io.Writer }

// WithOutput returns a context with writers for what one call writes. In a function that runs on a far side, they lead
// to the caller. A caller who passes such a context to a call of a session gets what that call writes there, and not
// where the session's output goes.
func WithOutput(ctx context.Context, stdout, stderr io.Writer) context.Context {
	return context.WithValue(ctx, outputKey{}, outputs{stdout, stderr})
}

// Output returns the writers of [WithOutput]; ok is false if the context has none.
func Output(ctx context.Context) (stdout, stderr io.Writer, ok bool) {
	o, ok := ctx.Value(outputKey{}).(outputs)
	return o.out, o.err, ok
}

// Stdout is where a function that may run beside others writes what belongs to its own call: the writer of
// [WithOutput], or os.Stdout.
func Stdout(ctx context.Context) io.Writer {
	if out, _, ok := Output(ctx); ok {
		return out
	}
	return os.Stdout
}

// Stderr is [Stdout] for stderr.
func Stderr(ctx context.Context) io.Writer {
	if _, err, ok := Output(ctx); ok {
		return err
	}
	return os.Stderr
}
