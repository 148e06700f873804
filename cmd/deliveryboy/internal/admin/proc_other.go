//go:build !linux

package admin

import (
	"context"
	"errors"
	"fmt"
	"runtime"
)

func listeners(context.Context, []string) (Listeners, error) { return Listeners{}, unsupported() }

func processes(context.Context, []int) ([]Process, error) { return nil, unsupported() }

func unsupported() error {
	return fmt.Errorf("it reads /proc of Linux, which %s has not: %w", runtime.GOOS, errors.ErrUnsupported)
}
