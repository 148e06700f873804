package registry_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// direct delivers without a process in between: what is tested here is the packing.
type direct struct{ boxes []*box.Box }

func (d *direct) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	d.boxes = append(d.boxes, b)
	e, ok := registry.Lookup(b.Func)
	if !ok {
		return nil, errors.New("not registered")
	}
	return box.Execute(ctx, e, b), nil
}

type Point struct{ X, Y int }

func (p Point) Add(q Point) Point { return Point{p.X + q.X, p.Y + q.Y} }
func (p *Point) Scale(by int) int { p.X *= by; return p.X }

func Map[A, B any](list []A, with B) map[int]B {
	m := map[int]B{}
	for i := range list {
		m[i] = with
	}
	return m
}

func many(ctx context.Context, s string, m map[string]int, p *Point, rest ...string) (int, *Point, error) {
	if s == "" {
		return -1, nil, fs.ErrInvalid
	}
	p.X += m[s]
	return len(rest), p, nil
}

var (
	add    = registry.Register("point.add", Point.Add)
	scale  = registry.Register("point.scale", (*Point).Scale)
	maps   = registry.Register("map.strings", Map[string, time.Duration])
	manyF  = registry.Register("many", many, registry.Rules{Doc: "does many things"})
	lit    = registry.Register("literal", func(n int) int { return n + 1 })
	noErr  = registry.Register("panics", func() { panic("boom") })
	goexit = registry.Register("fails", func() (int, error) { return 7, os.ErrNotExist })
	reader = registry.Register("live.reader", func(r io.Reader, l *slog.Logger, c <-chan int, f func(int), d fs.FS) error { return nil })
	opened = registry.Register("live.result", os.Open)
)

func TestCallsThroughACourier(t *testing.T) {
	d := &direct{}
	if got := add.On(d)(Point{1, 2}, Point{3, 4}); got != (Point{4, 6}) {
		t.Errorf("method expression: %v", got)
	}
	p := &Point{2, 3}
	if got := scale.On(d)(p, 5); got != 10 || p.X != 2 {
		t.Errorf("pointer method: %d, and the caller's receiver is %v", got, *p)
	}
	if got := maps.On(d)([]string{"a", "b"}, time.Second); len(got) != 2 || got[1] != time.Second {
		t.Errorf("generic: %v", got)
	}
	if got := lit.On(d)(1); got != 2 {
		t.Errorf("literal: %d", got)
	}
	q := &Point{1, 1}
	n, r, err := manyF.On(d)(context.Background(), "k", map[string]int{"k": 41}, q, "a", "b")
	if n != 2 || r.X != 42 || err != nil || q.X != 1 {
		t.Errorf("many: %d, %v, %v; the caller's point is %v", n, r, err, q)
	}
	n, r, err = manyF.On(d)(nil, "", nil, nil) //nolint:staticcheck // a nil context is the caller's mistake, not a crash
	if n != -1 || r != nil || !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("results beside an error: %d, %v, %v", n, r, err)
	}
	if n, err := goexit.On(d)(); n != 7 || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("results beside an error: %d, %v", n, err)
	}
}

func TestAFunctionWithoutAnErrorResultPanicsWithIt(t *testing.T) {
	defer func() {
		var p *box.PanicError
		if err, _ := recover().(error); !errors.As(err, &p) || p.Value != "boom" {
			t.Errorf("recovered %v", err)
		}
	}()
	noErr.On(&direct{})()
}

func TestDeadlineAndTraceTravel(t *testing.T) {
	d := &direct{}
	ctx, cancel := context.WithTimeout(box.WithTrace(context.Background(), map[string]string{"traceparent": "00-1"}), time.Hour)
	defer cancel()
	if _, _, err := manyF.On(d)(ctx, "k", nil, &Point{}); err != nil {
		t.Fatal(err)
	}
	if b := d.boxes[0]; b.Timeout <= 0 || b.Timeout > time.Hour || b.Trace["traceparent"] != "00-1" {
		t.Errorf("timeout %s, trace %v", b.Timeout, b.Trace)
	}
	late, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	_, _, err := manyF.On(d)(late, "k", nil, &Point{})
	var de *box.DeliveryError
	if !errors.Is(err, context.DeadlineExceeded) || !errors.As(err, &de) || de.Fate != box.NotStarted {
		t.Errorf("a deadline that has passed: %v", err)
	}
}

// Live values are handed to the courier beside the box, and have to come along at the other end.
func TestLiveValuesStandBesideTheBox(t *testing.T) {
	e := reader.Entry()
	args, err := e.Arguments([]any{strings.NewReader("x"), nil, nil, nil, nil})
	if err != nil {
		t.Fatal(err)
	}
	b, err := e.Pack(context.Background(), args)
	if err != nil || len(b.Live) != 5 {
		t.Fatalf("%d live values, %v", len(b.Live), err)
	}
	var refusal *box.Refusal
	for name, live := range map[string][]box.Live{
		"none":          nil,
		"one missing":   b.Live[1:],
		"one twice":     append(b.Live[:5:5], b.Live[0]),
		"no such slot":  append(b.Live[:4:4], box.Live{Slot: 9, Value: b.Live[4].Value}),
		"of other type": append(b.Live[1:5:5], box.Live{Slot: 0, Value: reflect.ValueOf(1)}),
	} {
		if _, _, err := e.Serve(context.Background(), b.Args, live); !errors.As(err, &refusal) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, _, err := e.Serve(context.Background(), b.Args, b.Live); err != nil {
		t.Error(err)
	}
	f, err := opened.On(&direct{})("/etc/passwd")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func mustPanic(t *testing.T, f func(), wants ...string) {
	t.Helper()
	defer func() {
		t.Helper()
		text := fmt.Sprint(recover())
		for _, want := range append(wants, "registry_test.go:") {
			if !strings.Contains(text, want) {
				t.Errorf("panic %q does not say %q", text, want)
			}
		}
	}()
	f()
}

func TestRegistrationRefuses(t *testing.T) {
	n := 1
	var none func()
	mustPanic(t, func() { registry.Register("many", many) }, "already registered", "many")
	mustPanic(t, func() { registry.Register("", many) }, "1 to 128")
	mustPanic(t, func() { registry.Register(strings.Repeat("a", 129), many) }, "129 characters")
	mustPanic(t, func() { registry.Register("../x", many) }, `byte 2 is "/"`)
	mustPanic(t, func() { registry.Register("Upper", many) }, `byte 0 is "U"`)
	mustPanic(t, func() { registry.Register("a\nb", many) }, `byte 1 is "\n"`)
	mustPanic(t, func() { registry.Register("n\u0430me", many) }, "only a-z")
	mustPanic(t, func() { registry.Register("int", 5) }, "a function is needed")
	mustPanic(t, func() { registry.Register("nil", none) }, "function is nil")
	mustPanic(t, func() { registry.Register("closure", func() int { n++; return n }) }, "closure", "captures")
	mustPanic(t, func() { registry.Register("method.value", Point{1, 2}.Add) }, "method value", "method expression")
	mustPanic(t, func() { registry.Register("late.context", func(int, context.Context) {}) }, "context must be the first")
	mustPanic(t, func() { registry.Register("two.way", func(chan int) {}) }, "arg 0", "chan")
	mustPanic(t, func() {
		registry.Register("logger", func(int, struct{ Opts struct{ Log *slog.Logger } }) {})
	}, "arg 1.Opts.Log", "not exported")
	mustPanic(t, func() { registry.Register("result", func() (int, func()) { return 0, nil }) }, "result 1", "func")
	type node struct{ Next *node }
	mustPanic(t, func() { registry.Register("recursive", func(*node) {}) }, "arg 0.Next", "recursive")
	registry.Register("recursive.declared", func(n *node) *node { return n }, registry.Rules{Depth: 3})
}

func TestSymbolNames(t *testing.T) {
	for want, got := range map[string]string{
		"os.Chown": registry.RegisterSymbol(os.Chown).Name(),
		"time.Now": registry.RegisterSymbol(time.Now).Name(),
		"github.com/seed354a1416/deliveryboy/registry_test.Point.Add": registry.RegisterSymbol(Point.Add).Name(),
	} {
		if got != want {
			t.Errorf("symbol name %q, want %q", got, want)
		}
	}
	a, b := registry.RegisterSymbol(Map[int, bool]), registry.RegisterSymbol(Map[int, string])
	if a.Name() == b.Name() {
		t.Errorf("two instantiations share the name %q", a.Name())
	}
	if again := registry.RegisterSymbol(os.Chown); again.Entry() != registry.RegisterSymbol(os.Chown).Entry() {
		t.Error("the same function was registered twice")
	}
	if got := b.On(&direct{})([]int{1}, "x"); got[0] != "x" {
		t.Errorf("the wrong instantiation ran: %v", got)
	}
}

func TestListing(t *testing.T) {
	e, ok := registry.Lookup("many")
	if !ok || e.Doc() != "does many things" || !strings.Contains(e.Where(), "registry_test.go:") || !strings.HasPrefix(e.Signature(), "func(context.Context, string,") {
		t.Errorf("entry: %v, %+v", ok, e)
	}
	if _, ok := registry.Lookup("nothing"); ok {
		t.Error("an unknown name was found")
	}
}

func TestFingerprintSeesNamesAndLayout(t *testing.T) {
	before, layouts := registry.Fingerprint(), registry.Layouts()
	registry.Register("fresh.one", func(struct{ A int }) {})
	if registry.Fingerprint() == before {
		t.Error("a new function did not change the fingerprint")
	}
	diff := registry.Differences(layouts, registry.Layouts())
	if len(diff) != 1 || !strings.Contains(diff[0], `"fresh.one" is only on the far side`) {
		t.Errorf("differences: %q", diff)
	}
	diff = registry.Differences([]string{"f func(int,)()", "g func()()"}, []string{"f func(string,)()"})
	if len(diff) != 2 || !strings.Contains(diff[0], "func(int,)() on this side and func(string,)() on the far side") || !strings.Contains(diff[1], `"g" is only on this side`) {
		t.Errorf("differences: %q", diff)
	}
}
