package couriertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/registry"
)

var (
	answerAll = registry.Register("couriertest.answerall", answerItems)
	breakOff  = registry.Register("couriertest.breakoff", func(ctx context.Context, c *channel.Channel[Item]) error {
		if err := c.Send(ctx, Item{Name: "last"}); err != nil {
			return err
		}
		return c.CloseWithError(errBroken)
	})
	redirect = registry.Register("couriertest.redirect", redirectTo)
)

// answerItems sends each item back, numbered, until the other side has no more.
func answerItems(ctx context.Context, c *channel.Channel[Item]) (n int, err error) {
	for item, err := range c.All(ctx) {
		if err != nil {
			return n, err
		}
		item.N = n
		if err := c.Send(ctx, item); err != nil {
			return n, err
		}
		n++
	}
	return n, c.Close()
}

// redirectTo takes channels out of a channel, and writes into each.
func redirectTo(ctx context.Context, c *channel.Channel[*channel.Channel[string]]) (n int, err error) {
	for inner, err := range c.All(ctx) {
		if err != nil {
			return n, err
		}
		if err := inner.Send(ctx, fmt.Sprint("output ", n)); err != nil {
			return n, err
		}
		if err := inner.Close(); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

func testChannel(t *testing.T, c box.Courier) {
	ctx := limited(t)
	ch, done := channel.Make[Item](), make(chan error, 1)
	n := items()
	go func() {
		got, err := answerAll.On(c)(ctx, ch)
		if err == nil && got != n {
			err = fmt.Errorf("it answered %d of %d items", got, n)
		}
		done <- err
	}()
	sent := make(chan error, 1)
	go func() {
		for i := range n {
			if err := ch.Send(ctx, Item{N: -1, Name: fmt.Sprint(i), Data: make([]byte, i%3000)}); err != nil {
				sent <- err
				return
			}
		}
		sent <- ch.CloseSend()
	}()
	count := 0
	for item, err := range ch.All(ctx) {
		if err != nil || item.N != count || item.Name != fmt.Sprint(count) || len(item.Data) != count%3000 {
			t.Fatalf("item %d is %d %q, %v", count, item.N, item.Name, err)
		}
		count++
	}
	must(t, arrives(t, "the items sent", sent))
	must(t, arrives(t, "the end of the call", done))
	if count != n {
		t.Errorf("of %d items %d came back", n, count)
	}
	if err := ch.Wait(ctx); err != nil || !ch.Closed() {
		t.Errorf("after a close in good order: %v, closed %v", err, ch.Closed())
	}
	broken := channel.Make[Item]()
	must(t, breakOff.On(c)(ctx, broken))
	if item, err := broken.Receive(ctx); item.Name != "last" || err != nil {
		t.Errorf("what was sent before a close: %+v, %v", item, err)
	}
	if _, err := broken.Receive(ctx); !errors.Is(err, errBroken) || errors.Is(err, io.EOF) {
		t.Errorf("closed with an error: %v", err)
	}
	if err := broken.Wait(ctx); !errors.Is(err, errBroken) {
		t.Errorf("waiting for a channel that was closed with an error: %v", err)
	}
}

func testNestedChannels(t *testing.T, c box.Courier) {
	ctx := limited(t)
	outer, done := channel.Make[*channel.Channel[string]](), make(chan error, 1)
	go func() {
		_, err := redirect.On(c)(ctx, outer)
		done <- err
	}()
	for i := range 5 {
		inner := channel.Make[string]()
		must(t, outer.Send(ctx, inner))
		if got, err := inner.Receive(ctx); got != fmt.Sprint("output ", i) || err != nil {
			t.Fatalf("channel %d: %q, %v", i, got, err)
		}
		if _, err := inner.Receive(ctx); !errors.Is(err, io.EOF) {
			t.Errorf("channel %d was closed, and gives %v", i, err)
		}
	}
	must(t, outer.CloseSend())
	must(t, arrives(t, "the end of the call", done))
}
