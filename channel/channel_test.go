package channel

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"reflect"
	"strings"
	"testing"
)

func parse(t *testing.T, p []byte) map[string]any {
	t.Helper()
	m := map[string]any{}
	if err := json.Unmarshal(p, &m); err != nil {
		t.Fatal(err)
	}
	return m
}

type order struct {
	Name  string
	Reply *Channel[int]
	Count int
}

func TestChannelArgument(t *testing.T) {
	ch := Make[string]()
	if err := call(t, ch, func(ctx context.Context, far *Channel[string]) error {
		for _, s := range []string{"a", "b", "c"} {
			if err := far.Send(ctx, s); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	var got []string
	for s, err := range ch.All(within(t)) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, s)
	}
	if !reflect.DeepEqual(got, []string{"a", "b", "c"}) {
		t.Errorf("got %q", got)
	}
	if err := ch.Wait(within(t)); err != nil || !ch.Closed() {
		t.Errorf("closed: %t, %v", ch.Closed(), err)
	}
	if err := call(t, ch, func(context.Context, *Channel[string]) error { return nil }); err == nil || !strings.Contains(err.Error(), "passed already") {
		t.Errorf("passed twice: %v", err)
	}
}

// Channels travel over channels, alone and in a struct, and work both ways.
func TestChannelsOverChannels(t *testing.T) {
	orders := Make[order]()
	fresh := Make[*Channel[string]]()
	near, far, _ := connect(t, Options{})
	reply := Make[int]()
	sent := make(chan error, 1)
	go func() { sent <- orders.Send(within(t), order{"three", reply, 3}) }()
	err := callOn(t, near, far, orders, func(ctx context.Context, far *Channel[order]) error {
		o, err := far.Receive(ctx)
		if err != nil || o.Name != "three" || o.Count != 3 {
			t.Errorf("%+v, %v", o, err)
			return err
		}
		for n := range o.Count {
			if err := o.Reply.Send(ctx, n); err != nil {
				return err
			}
		}
		return o.Reply.CloseSend()
	})
	if err != nil || <-sent != nil {
		t.Fatal(err)
	}
	sum := 0
	for n, err := range reply.All(within(t)) {
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	if sum != 3 {
		t.Errorf("got %d", sum)
	}
	text := Make[string]()
	if err := callOn(t, near, far, fresh, func(ctx context.Context, far *Channel[*Channel[string]]) error {
		if err := far.Send(ctx, text); err != nil {
			return err
		}
		return text.Send(ctx, "over a channel over a channel")
	}); err != nil {
		t.Fatal(err)
	}
	inner, err := fresh.Receive(within(t))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := inner.Receive(within(t)); err != nil || s != "over a channel over a channel" {
		t.Errorf("%q, %v", s, err)
	}
}

func TestChannelCallbacks(t *testing.T) {
	ch := Make[int]()
	var got []int
	ended := make(chan error, 1)
	if err := ch.OnClose(func(err error) { ended <- err }); err != nil {
		t.Fatal(err)
	}
	if err := call(t, ch, func(ctx context.Context, far *Channel[int]) error {
		for n := range 10 {
			if err := far.Send(ctx, n); err != nil {
				return err
			}
			if n == 5 {
				if err := ch.OnItem(func(n int) { got = append(got, n) }); err != nil {
					t.Error(err)
				}
			}
		}
		return far.CloseWithError(fs.ErrPermission)
	}); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, fs.ErrPermission) {
		t.Errorf("OnClose got %v", err)
	}
	if err := ch.Wait(within(t)); !errors.Is(err, fs.ErrPermission) {
		t.Errorf("Wait: %v", err)
	}
	if len(got) != 10 || got[9] != 9 {
		t.Errorf("got %v", got)
	}
	if ch.OnItem(func(int) {}) == nil || ch.OnClose(nil) == nil {
		t.Error("callbacks can be set twice")
	}
	if _, err := ch.Receive(within(t)); err == nil || errors.Is(err, fs.ErrPermission) {
		t.Errorf("Receive beside OnItem: %v", err)
	}
}

func TestChannelViews(t *testing.T) {
	ch := Make[[]byte]()
	if err := call(t, ch, func(ctx context.Context, far *Channel[[]byte]) error {
		if _, err := io.WriteString(far.Writer(ctx), "hello "); err != nil {
			return err
		}
		_, err := io.WriteString(far.Writer(ctx), "world")
		return err
	}); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(ch.Reader(within(t))); err != nil || string(text) != "hello world" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := Make[int]().Reader(within(t)).Read(make([]byte, 1)); !errors.Is(err, errNoBytes) {
		t.Errorf("a reader of numbers: %v", err)
	}
}

// Who waits on a channel that was not passed waits for that, or for its context.
func TestUnpassed(t *testing.T) {
	ch := Make[int]()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := ch.Send(ctx, 1); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if err := ch.Close(); err == nil {
		t.Error("it was closed")
	}
}
