package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/transport"
)

// durationFlag is a time of more than nothing.
type durationFlag struct {
	value time.Duration
	most  time.Duration
}

func (f *durationFlag) String() string {
	if f.value == 0 {
		return ""
	}
	return f.value.String()
}

func (f *durationFlag) Type() string { return "duration" }

func (f *durationFlag) Set(s string) error {
	d, err := time.ParseDuration(s)
	switch {
	case err != nil && looksLikeDuration(s):
		return fmt.Errorf("too long; at most %s", f.most)
	case err != nil:
		return errors.New("not a duration; write one such as 30s or 5m")
	case d <= 0:
		return errors.New("must be more than 0; write a duration such as 30s")
	case d > f.most:
		return fmt.Errorf("too long; at most %s", f.most)
	}
	f.value = d
	return nil
}

// within limits a context to it, if it was given.
func (f *durationFlag) within(ctx context.Context) (context.Context, context.CancelFunc) {
	if f.value == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, f.value)
}

// late says that what was to be done in such a context failed because the time was up, if that is so.
func (f *durationFlag) late(ctx context.Context, err error) error {
	gaveUp := errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded)
	if gaveUp && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return &timeoutError{f.value, err}
	}
	return err
}

// looksLikeDuration reports whether s is a number and a unit that time.ParseDuration knows, so that only the size can be
// wrong.
func looksLikeDuration(s string) bool {
	number := strings.TrimRight(s, "hmsuµn")
	_, err := strconv.ParseFloat(number, 64)
	unit := s[len(number):]
	_, unitErr := time.ParseDuration("1" + unit)
	return (err == nil || errors.Is(err, strconv.ErrRange)) && unitErr == nil
}

// umaskFlag is a umask in octal.
type umaskFlag struct {
	value int
	given bool
}

func (f *umaskFlag) String() string {
	if !f.given {
		return ""
	}
	return fmt.Sprintf("%03o", f.value)
}

func (f *umaskFlag) Type() string { return "octal" }

func (f *umaskFlag) Set(s string) error {
	n, err := strconv.ParseUint(s, 8, 32)
	if err != nil || n > 0o777 {
		return errors.New("not a umask; write 000 to 777 in octal, such as 022")
	}
	f.value, f.given = int(n), true
	return nil
}

// niceFlag is what is added to a priority.
type niceFlag struct {
	value int
	given bool
}

func (f *niceFlag) String() string {
	if !f.given {
		return ""
	}
	return strconv.Itoa(f.value)
}

func (f *niceFlag) Type() string { return "int" }

func (f *niceFlag) Set(s string) error {
	n, err := strconv.Atoi(s)
	if err != nil || n < -20 || n > 19 {
		return errors.New("out of range; write a whole number from -20 (first) to 19 (last)")
	}
	f.value, f.given = n, true
	return nil
}

// envFlag is a variable for the worker's environment; it may be given many times.
type envFlag struct{ entries []string }

func (f *envFlag) String() string { return "" }

func (f *envFlag) Type() string { return "NAME=VALUE" }

func (f *envFlag) Set(s string) error {
	if !strings.Contains(s, "=") {
		return errors.New("it has no =; write NAME=VALUE")
	}
	if err := transport.CheckEnvironment(append(f.entries, s)); err != nil {
		return errors.New(strings.TrimPrefix(err.Error(), "transport: "))
	}
	f.entries = append(f.entries, s)
	return nil
}

// dirFlag is an absolute path.
type dirFlag struct{ path string }

func (f *dirFlag) String() string { return f.path }

func (f *dirFlag) Type() string { return "path" }

func (f *dirFlag) Set(s string) error {
	if !strings.HasPrefix(s, "/") {
		return errors.New("not an absolute path; write one that begins with / on the far side")
	}
	f.path = s
	return nil
}
