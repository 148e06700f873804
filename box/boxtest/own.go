package boxtest

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/box"
)

// ErrBusy is a sentinel that the test program registers.
var ErrBusy = errors.New("busy")

// Refusal is an error type that the test program registers: with fields of many kinds, and errors among them.
type Refusal struct {
	Who    string
	Limits map[string][]int
	Until  time.Time
	Next   *Refusal
	Cause  error
	Others []error

	hidden error // travels all the same, because Unwrap shows it
}

func (r *Refusal) Error() string {
	if r.Cause == nil {
		return r.Who + " refused"
	}
	return fmt.Sprintf("%s refused: %v", r.Who, r.Cause)
}

// Unwrap shows an exported and an unexported field.
func (r *Refusal) Unwrap() []error { return []error{r.Cause, r.hidden} }

// Flaw is an error type that is a value and no pointer.
type Flaw struct{ Code int }

func (f Flaw) Error() string { return fmt.Sprintf("flaw %d", f.Code) }

// Flaws is an error type that is a slice, so that it cannot be compared.
type Flaws []Flaw

func (f Flaws) Error() string { return fmt.Sprintf("%d flaws", len(f)) }

// Level is an error type that is a number.
type Level uint8

func (l Level) Error() string { return fmt.Sprintf("level %d", uint8(l)) }

// stranger is not registered.
type stranger struct{ list []string }

func (s stranger) Error() string { return fmt.Sprint(s.list) }
func (s stranger) Unwrap() error { return ErrBusy }

func init() {
	box.RegisterSentinel("boxtest.ErrBusy", ErrBusy)
	box.RegisterError[*Refusal]()
	box.RegisterError[Flaw]()
	box.RegisterError[Flaws]()
	box.RegisterError[Level]()
}

func refusal() error {
	return &Refusal{
		Who:    "root",
		Limits: map[string][]int{"cpu": {1, 2}, "mem": nil},
		Until:  time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC),
		Next:   &Refusal{Who: "next", Cause: Flaw{2}},
		Cause:  &fs.PathError{Op: "open", Path: "/x", Err: ErrBusy},
		Others: []error{io.EOF, nil, Flaw{3}},
		hidden: io.ErrNoProgress,
	}
}

// ownCases are the error types of a program.
func ownCases() []Case {
	return []Case{
		{Name: "a registered pointer to a struct",
			Make: func() error { return fmt.Errorf("ask: %w", refusal()) },
			also: all(is(ErrBusy, io.ErrNoProgress), as[*fs.PathError](nil), as(sameRefusal))},
		{Name: "a registered struct",
			Make: func() error { return Flaw{Code: 7} },
			also: all(is(Flaw{Code: 7}), as(func(t testing.TB, got, own Flaw) { equal(t, "Flaw", got, own) }))},
		{Name: "a registered slice",
			Make: func() error { return fmt.Errorf("found %w", Flaws{{1}, {2}}) },
			also: as(func(t testing.TB, got, own Flaws) {
				if diff := cmp.Diff(own, got); diff != "" {
					t.Error(diff)
				}
			})},
		{Name: "a registered number",
			Make: func() error { return Level(200) },
			also: is(Level(200))},
		{Name: "a nil pointer of a registered type",
			Make: func() error { return (*Refusal)(nil) },
			also: as(func(t testing.TB, got, _ *Refusal) { equal(t, "the pointer", got, nil) })},
		{Name: "a nil pointer inside",
			Make: func() error { return fmt.Errorf("closing: %w", (*fs.PathError)(nil)) },
			also: as(func(t testing.TB, got, _ *fs.PathError) { equal(t, "the pointer", got, nil) })},
		{Name: "a type that nobody registered",
			Make: func() error { return fmt.Errorf("met %w", stranger{[]string{"a", "b"}}) },
			also: all(is(ErrBusy), image("boxtest.stranger"))},
	}
}

func sameRefusal(t testing.TB, got, own *Refusal) {
	t.Helper()
	text := func(err error) string {
		if err == nil {
			return "nil"
		}
		return fmt.Sprintf("%T %v", err, err)
	}
	byText := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().Type() == errorType },
		cmp.Comparer(func(a, b error) bool { return text(a) == text(b) }))
	ignore := cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".hidden" }, cmp.Ignore())
	if diff := cmp.Diff(own, got, byText, ignore); diff != "" {
		t.Errorf("the fields differ (-want +got):\n%s", diff)
	}
}
