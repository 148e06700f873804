package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/seed354a1416/deliveryboy/registry"
)

// Functions for the scripts, which end or print in ways that those of the command do not.
var (
	_ = registry.Register("test.panic", func() error { panic("oh no") })
	_ = registry.Register("test.exit", func(code int) error { os.Exit(code); return nil })
	_ = registry.Register("test.print", printAll)
	_ = registry.Register("test.flood", flood)
	_ = registry.Register("test.third", failTwice, registry.Rules{Idempotent: true})
	_ = registry.Register("test.join", func(by string, parts ...string) string { return strings.Join(parts, by) })
	_ = registry.Register("test.hang", hang)
)

// printAll writes to each of the streams.
func printAll(ctx context.Context, text string) (string, error) {
	fmt.Println("out", text)
	fmt.Fprintln(os.Stderr, "err", text)
	slog.InfoContext(ctx, "log", "text", text)
	return text, nil
}

// flood prints so many lines of 1024 bytes.
func flood(n int) error {
	line := strings.Repeat("x", 1023)
	for range n {
		if _, err := fmt.Println(line); err != nil {
			return err
		}
	}
	return nil
}

// failTwice fails until it is called for the third time with a file of this name.
func failTwice(name string) (int, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_RDWR, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	if _, err := f.WriteString("x"); err != nil {
		return 0, err
	}
	info, err := f.Stat()
	if err == nil && info.Size() < 3 {
		err = errors.New("not yet")
	}
	return int(info.Size()), err
}

// hang says that it is there, and waits to be cancelled.
func hang(ctx context.Context) error {
	fmt.Println("here")
	<-ctx.Done()
	return ctx.Err()
}
