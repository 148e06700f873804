package boxtest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"

	pkgerrors "github.com/pkg/errors"

	"github.com/seed354a1416/deliveryboy/box"
)

// treeCases are errors around errors.
func treeCases() []Case {
	return []Case{
		{Name: "a plain text",
			Make: func() error { return errors.New("no") },
			also: image("*errors.errorString")},
		{Name: "an empty text",
			Make: func() error { return errors.New("") },
			also: image("*errors.errorString")},
		{Name: "a text of odd bytes",
			Make: func() error { return errors.New("a\x00b\xff\x1b[31mc\r\n世界") },
			also: is()},
		{Name: "a chain of %w",
			Make: func() error {
				_, err := os.Open(missing)
				return fmt.Errorf("start: %w", fmt.Errorf("read config: %w", err))
			},
			also: all(is(fs.ErrNotExist, syscall.ENOENT), as[*fs.PathError](nil), image("*fmt.wrapError"))},
		{Name: "two %w at once",
			Make: func() error { return fmt.Errorf("%w, then %w", io.ErrUnexpectedEOF, syscall.EPIPE) },
			also: all(is(io.ErrUnexpectedEOF, syscall.EPIPE), image("*fmt.wrapErrors"))},
		{Name: "joined errors",
			Make: func() error {
				return errors.Join(errors.New("first"), fmt.Errorf("second: %w", io.EOF), errors.Join(fs.ErrExist, ErrBusy))
			},
			also: all(is(io.EOF, fs.ErrExist, ErrBusy), joinedInOrder)},
		{Name: "a chain of a hundred",
			Make: func() error {
				err := io.EOF
				for i := range 100 {
					err = fmt.Errorf("%d: %w", i, err)
				}
				return err
			},
			also: image("*fmt.wrapError")},
		{Name: "with a stack",
			Make: func() error { return pkgerrors.Wrap(io.ErrShortWrite, "save") },
			also: all(is(io.ErrShortWrite), remoteStack("boxtest.treeCases"))},
		{Name: "with a stack from the start",
			Make: func() error { return fmt.Errorf("outer: %w", pkgerrors.New("deep")) },
			also: all(image("*errors.fundamental"), remoteStack("boxtest.treeCases"))},
		{Name: "a runtime error that was recovered",
			Make: indexOutOfRange,
			also: as(func(t testing.TB, got, own runtime.Error) { equal(t, "text", got.Error(), own.Error()) })},
	}
}

func indexOutOfRange() (err error) {
	defer func() { err = fmt.Errorf("recovered: %w", recover().(error)) }()
	var none []int
	_ = none[len(os.Args)+5-len(os.Args)]
	return nil
}

// joinedInOrder wants the branches of a joined error in their order.
func joinedInOrder(t testing.TB, got, _ error) {
	t.Helper()
	join := remoteOf(got, "*errors.joinError")
	if join == nil {
		t.Fatalf("there is no joined error in %+v", got)
	}
	var texts []string
	for _, branch := range join.Unwrap() {
		texts = append(texts, branch.Error())
	}
	equal(t, "the branches", strings.Join(texts, "|"), "first|second: EOF|file already exists\nbusy")
}

// remoteStack wants a stack with that function, in Stack and in %+v.
func remoteStack(function string) func(testing.TB, error, error) {
	return func(t testing.TB, got, _ error) {
		t.Helper()
		remote := got.(*box.RemoteError)
		if !strings.Contains(remote.Stack, function) {
			t.Errorf("Stack is %q; want %s in it", remote.Stack, function)
		}
		if detail := fmt.Sprintf("%+v", got); !strings.Contains(detail, "remote stack:") || !strings.Contains(detail, "tree.go:") {
			t.Errorf("%%+v shows no remote stack: %s", detail)
		}
	}
}

// sentinelCases are errors that are compared and not read.
func sentinelCases() []Case {
	cases := []Case{
		{Name: "a sentinel of the program", Make: func() error { return fmt.Errorf("queue: %w", ErrBusy) }, also: is(ErrBusy)},
		{Name: "an error with its own Is",
			Make: func() error { return tooSlow{} },
			also: all(is(context.DeadlineExceeded, ErrBusy), timeout(true), isNot(context.Canceled, io.EOF),
				as(func(t testing.TB, got, _ interface {
					error
					Timeout() bool
					Temporary() bool
				}) {
					equal(t, "Temporary", got.Temporary(), true)
				}))},
	}
	for name, s := range map[string]error{
		"io.EOF": io.EOF, "io.ErrUnexpectedEOF": io.ErrUnexpectedEOF, "context.Canceled": context.Canceled,
		"context.DeadlineExceeded": context.DeadlineExceeded, "fs.SkipAll": fs.SkipAll, "os.ErrProcessDone": os.ErrProcessDone,
		"os.ErrDeadlineExceeded": os.ErrDeadlineExceeded, "errors.ErrUnsupported": errors.ErrUnsupported,
	} {
		cases = append(cases, Case{Name: name, Make: func() error { return s }, also: is(s)})
	}
	return cases
}

func isNot(targets ...error) func(testing.TB, error, error) {
	return func(t testing.TB, got, _ error) {
		t.Helper()
		for _, target := range targets {
			if errors.Is(got, target) {
				t.Errorf("errors.Is(err, %v) is true", target)
			}
		}
	}
}

// tooSlow is unregistered, as the timeout errors of package net are.
type tooSlow struct{}

func (tooSlow) Error() string        { return "too slow" }
func (tooSlow) Timeout() bool        { return true }
func (tooSlow) Temporary() bool      { return true }
func (tooSlow) Is(target error) bool { return target == context.DeadlineExceeded || target == ErrBusy }
