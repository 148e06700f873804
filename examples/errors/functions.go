package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	pkgerrors "github.com/pkg/errors"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// The functions that go wrong, each in its own way.
var (
	readFile = registry.Register("read", os.ReadFile)
	withdraw = registry.Register("withdraw", spend)
	third    = registry.Register("third", func(numbers []int) (int, error) { return numbers[2], nil })
	quit     = registry.Register("quit", func(code int) error { os.Exit(code); return nil })
	wait     = registry.Register("wait", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
)

// spend fails for everything above 100. Its error has a stack, which travels with it.
func spend(amount int) error {
	if amount <= 100 {
		return nil
	}
	return pkgerrors.WithStack(fmt.Errorf("%w: %w", errRefused, &ShortError{Missing: amount - 100}))
}

// errRefused is an error value of this program. Registered, it is the same on both sides for errors.Is.
var errRefused = errors.New("refused")

// ShortError is an error type of this program. Registered, it comes back with its fields for errors.As.
type ShortError struct{ Missing int }

func (e *ShortError) Error() string { return fmt.Sprintf("%d missing", e.Missing) }

func init() {
	box.RegisterSentinel("errors.errRefused", errRefused)
	box.RegisterError[*ShortError]()
}
