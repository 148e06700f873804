package session

import (
	"context"
	"errors"
	"io"
	"strconv"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

var drained = registry.Register("drained", func(r io.Reader, w io.Writer) (int64, error) { return io.Copy(w, r) })

// zeros have no end.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestARefusedCallLetsGo: live arguments of a call that the worker cannot read, or does not take, do not keep its caller.
func TestARefusedCallLetsGo(t *testing.T) {
	s, err := delivery.Open(t.Context(), transport.Self{})
	must(t, err)
	defer func() { must(t, s.Close()) }()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	for name, c := range map[string]struct {
		spoil func(b *box.Box)
	}{
		"more of a trace than is read": {func(b *box.Box) {
			b.Trace = map[string]string{}
			for i := range 1 << 13 {
				b.Trace[strconv.Itoa(i)] = ""
			}
		}},
		"no such function": {func(b *box.Box) { b.Func = "no.such" }},
		"another function": {func(b *box.Box) { b.Func = mapped.Entry().Name() }},
		"two for one":      {func(b *box.Box) { b.Live[1].Slot = b.Live[0].Slot }},
	} {
		t.Run(name, func(t *testing.T) {
			args, err := drained.Entry().Arguments([]any{zeros{}, io.Discard})
			must(t, err)
			b, err := drained.Entry().Pack(ctx, args)
			must(t, err)
			c.spoil(b)
			r, err := s.Deliver(ctx, b)
			if err == nil {
				err = r.Err()
			}
			if err == nil || errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("got %v", err)
			}
		})
	}
	if n, err := s.Status(ctx); err != nil || n.Streams > 0 {
		t.Errorf("the worker has %+v, %v", n, err)
	}
}
