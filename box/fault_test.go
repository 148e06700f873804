package box_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/boxtest"
)

// trip sends a fault on its way, as a reply does.
func trip(t testing.TB, f *box.Fault) *box.Fault {
	t.Helper()
	back, err := box.DecodeFault(box.EncodeFault(f))
	if err != nil {
		t.Fatal(err)
	}
	return back
}

func TestErrorsSurviveOneTrip(t *testing.T) {
	t.Parallel()
	for _, c := range boxtest.Errors() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			c.Check(t, trip(t, box.FaultOf(c.Make())).Err(box.Origin{Func: "f"}))
		})
	}
}

func TestErrorsSurviveThreeTrips(t *testing.T) {
	t.Parallel()
	for _, c := range boxtest.Errors() {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			err := c.Make()
			for i := range 3 {
				err = trip(t, box.FaultOf(err)).Err(box.Origin{Func: fmt.Sprint("f", i)})
			}
			if strings.HasPrefix(c.Name, "with a stack") { // the stack of the outermost RemoteError is looked at
				return
			}
			c.Check(t, err)
		})
	}
}

func TestNoError(t *testing.T) {
	t.Parallel()
	if f := box.FaultOf(nil); f != nil {
		t.Errorf("FaultOf(nil) is %v", f)
	}
	var f *box.Fault
	if err := f.Err(box.Origin{}); err != nil {
		t.Errorf("the error of a nil fault is %v", err)
	}
}

func TestErrTwiceGivesTwoErrors(t *testing.T) {
	t.Parallel()
	f := trip(t, box.FaultOf(fmt.Errorf("a: %w", io.EOF)))
	one, two := f.Err(box.Origin{Func: "one"}), f.Err(box.Origin{Func: "two"})
	if one == two || one.Error() != two.Error() || !errors.Is(one, io.EOF) || !errors.Is(two, io.EOF) {
		t.Errorf("the second error is not as the first: %+v, %+v", one, two)
	}
}

// nasty does everything that an error must not do.
type nasty struct{ next error }

func (nasty) Error() string     { panic("no text") }
func (nasty) Is(error) bool     { panic("no is") }
func (nasty) Timeout() bool     { panic("no timeout") }
func (n *nasty) Unwrap() error  { return n.next }
func (nasty) StackTrace() error { panic("no stack") }

// bushy wraps very many.
type bushy int

func (b bushy) Error() string { return "bushy" }
func (b bushy) Unwrap() []error {
	list := make([]error, b)
	for i := range list {
		list[i] = fmt.Errorf("%d: %w", i, b)
	}
	return list
}

// lumpy cannot be compared, though its type can.
type lumpy struct{ inside any }

func (lumpy) Error() string { return "lumpy" }

func TestErrorsOfAHostileFunction(t *testing.T) {
	t.Parallel()
	cycle := &nasty{}
	cycle.next = cycle
	for name, err := range map[string]error{
		"a cycle that panics": cycle,
		"very many":           bushy(2000),
		"a huge text":         errors.New(strings.Repeat("€", 4<<20)),
		"lumpy":               fmt.Errorf("a %w", lumpy{[]int{1}}),
		"huge texts":          errors.Join(slicesOf(100, errors.New(strings.Repeat("x", 100<<10)))...),
		"huge fields":         &boxtest.Refusal{Who: strings.Repeat("x", 1<<20), Cause: io.EOF},
		"a cycle of fields":   cyclic(),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := trip(t, box.FaultOf(err))
			got := f.Err(box.Origin{})
			size := 0
			for _, n := range f.Nodes {
				size += len(n.Msg) + len(n.Stack) + len(n.Fields)
			}
			if len(f.Nodes) > 1024 || size > 4<<20 {
				t.Errorf("%d nodes with %d bytes", len(f.Nodes), size)
			}
			if len(got.Error()) > 64<<10 {
				t.Errorf("a text of %d bytes", len(got.Error()))
			}
			_ = errors.Is(got, io.EOF)
			_ = fmt.Sprintf("%+v", got)
		})
	}
}

func slicesOf(n int, err error) []error {
	list := make([]error, n)
	for i := range list {
		list[i] = err
	}
	return list
}

func cyclic() error {
	r := &boxtest.Refusal{Who: "a"}
	r.Next = r
	return r
}

func TestATextThatIsTooLongSaysSo(t *testing.T) {
	t.Parallel()
	got := box.FaultOf(errors.New(strings.Repeat("x", 1<<20))).Err(box.Origin{}).Error()
	if len(got) > 64<<10 || !strings.HasSuffix(got, "…[cut from 1048576 bytes]") {
		t.Errorf("%d bytes, ending in %q", len(got), got[len(got)-40:])
	}
}

func TestOneErrorInManyPlacesStaysSmall(t *testing.T) {
	t.Parallel()
	err := io.EOF
	for range 60 { // as a tree it has 2^60 leaves
		err = errors.Join(err, err)
		if len(err.Error()) > 1<<16 {
			err = shortText{err}
		}
	}
	if n := len(box.FaultOf(err).Nodes); n > 1024 {
		t.Errorf("%d nodes", n)
	}
}

type shortText struct{ error }

func (shortText) Error() string   { return "short" }
func (s shortText) Unwrap() error { return s.error }
