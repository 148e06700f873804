package couriertest

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/boxtest"
	"github.com/seed354a1416/deliveryboy/registry"
)

var (
	fail    = registry.Register("couriertest.fail", boxtest.Make)
	half    = registry.Register("couriertest.half", func(name string) (int, error) { _, err := os.Open(name); return 7, err })
	explode = registry.Register("couriertest.explode", func() error { panic(fmt.Errorf("wrapped: %w", os.ErrPermission)) })
	number  = registry.Register("couriertest.number", func() int { panic(42) })
	goexit  = registry.Register("couriertest.goexit", func() error { runtime.Goexit(); return nil })
)

func testErrors(t *testing.T, c box.Courier) {
	for _, e := range boxtest.Errors() {
		t.Run(e.Name, func(t *testing.T) { e.Check(t, fail.On(c)(e.Name)) })
	}
	n, err := half.On(c)("/does/not/exist")
	if n != 7 || !errors.Is(err, fs.ErrNotExist) || err.Error() != "open /does/not/exist: no such file or directory" {
		t.Errorf("a result beside an error: %d, %v", n, err)
	}
}

// testPanic holds for each of many: a panic ends its own call and nothing else.
func testPanic(t *testing.T, c box.Courier) {
	for range 3 {
		err := explode.On(c)()
		var p *box.PanicError
		if !errors.As(err, &p) || !errors.Is(err, os.ErrPermission) || kindOf(err) != box.Panicked {
			t.Fatalf("%T: %v", err, err)
		}
		if v, ok := p.Value.(error); !ok || !errors.Is(v, os.ErrPermission) {
			t.Errorf("the value is %v", p.Value)
		}
		if detail := fmt.Sprintf("%+v", err); !strings.Contains(detail, "failures.go:") {
			t.Errorf("%%+v does not say where: %s", detail)
		}
		if err := try(func() { number.On(c)() }); !errors.As(err, &p) || p.Value != 42 {
			t.Errorf("a panic with a number: %v", err)
		}
	}
	if got := text.On(c)("on"); got != "on" {
		t.Errorf("after panics: %q", got)
	}
}

func testGoexit(t *testing.T, c box.Courier) {
	for range 3 {
		if err := goexit.On(c)(); kindOf(err) != box.Goexited || !strings.Contains(err.Error(), "Goexit") {
			t.Fatalf("%v", err)
		}
	}
	if got := text.On(c)("on"); got != "on" {
		t.Errorf("after Goexit: %q", got)
	}
}

// testUnknown delivers a box that nobody registered a function for.
func testUnknown(t *testing.T, c box.Courier) {
	r, err := c.Deliver(context.Background(), &box.Box{Func: "couriertest.nobody"})
	if err == nil {
		err = r.Err()
	}
	var e *box.DeliveryError
	if !errors.As(err, &e) || e.Fate != box.NotStarted || !strings.Contains(err.Error(), "couriertest.nobody") {
		t.Errorf("%v, %v", r, err)
	}
	if again := try(func() { text.On(c)("on") }); again != nil {
		t.Errorf("after an unknown function: %v", again)
	}
}
