package couriertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// An Item travels over channels.
type Item struct {
	N    int
	Name string
	Data []byte
}

var (
	produce = registry.Register("couriertest.produce", producer)
	consume = registry.Register("couriertest.consume", consumer)
	double  = registry.Register("couriertest.double", doubler)
	first   = registry.Register("couriertest.first", func(in <-chan int) int { return <-in })
)

// producer sends n items. With end it closes the channel.
func producer(ctx context.Context, n int, out chan<- Item, end bool) error {
	for i := range n {
		select {
		case out <- Item{N: i, Name: fmt.Sprint(i), Data: make([]byte, i%5000)}:
		case <-ctx.Done():
			return fmt.Errorf("after %d items: %w", i, ctx.Err())
		}
	}
	if end {
		close(out)
	}
	return nil
}

// consumer takes items until the channel is closed.
func consumer(ctx context.Context, in <-chan Item) (count, size int, err error) {
	for {
		select {
		case item, ok := <-in:
			if !ok {
				return count, size, nil
			}
			if item.N != count || item.Name != fmt.Sprint(count) {
				return count, size, fmt.Errorf("item %d is %+v", count, item)
			}
			count++
			size += len(item.Data)
		case <-ctx.Done():
			return count, size, ctx.Err()
		}
	}
}

// doubler answers each number with its double.
func doubler(in <-chan int, out chan<- int) int {
	n := 0
	for v := range in {
		out <- 2 * v
		n++
	}
	close(out)
	return n
}

func items() int {
	if testing.Short() {
		return 1000
	}
	return 10_000
}

func testGoChannels(t *testing.T, c box.Courier) {
	ctx := limited(t)
	for _, buffer := range []int{0, 7} {
		n := items()
		out, done := make(chan Item, buffer), make(chan error, 1)
		go func() { done <- produce.On(c)(ctx, n, out, true) }()
		count, _, err := consumer(ctx, out)
		if count != n || err != nil {
			t.Fatalf("of %d items %d came, %v", n, count, err)
		}
		must(t, arrives(t, "the producer", done))

		in, result := make(chan Item, buffer), make(chan error, 1)
		go func() { result <- producer(ctx, n, in, true) }()
		count, size, err := consume.On(c)(ctx, in)
		if want := sizes(n); count != n || size != want || err != nil {
			t.Fatalf("of %d items with %d bytes %d with %d arrived, %v", n, want, count, size, err)
		}
		must(t, arrives(t, "the producer here", result))
	}
	testNothingLost(t, c)
	testRoundTrips(t, c)
	// A function that takes one and returns does not wait for more, and the channel stays the caller's.
	in := make(chan int, 1)
	in <- 5
	if got := first.On(c)(in); got != 5 {
		t.Errorf("the first item is %d", got)
	}
	closed := make(chan int)
	close(closed)
	if got := first.On(c)(closed); got != 0 {
		t.Errorf("a closed channel gave %d", got)
	}
	// A consumer that stops holds the producer back, and a cancelled context frees it.
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	stuck := make(chan Item)
	if err := produce.On(c)(ctx, 1_000_000, stuck, false); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a producer without a consumer: %v", err)
	}
}

func sizes(n int) (size int) {
	for i := range n {
		size += i % 5000
	}
	return size
}

// testNothingLost has a function return without closing its channel: what it sent arrives all the same, and the channel
// stays open.
func testNothingLost(t *testing.T, c box.Courier) {
	out := make(chan Item, 100)
	must(t, produce.On(c)(limited(t), 100, out, false))
	if len(out) != 100 {
		t.Errorf("when the call had returned, %d of 100 items were there", len(out))
	}
	select {
	case out <- Item{}:
	default:
		close(out) // a panic, if the function's end had closed it
	}
}

// testRoundTrips sends a number each way at a time.
func testRoundTrips(t *testing.T, c box.Courier) {
	in, out, done := make(chan int), make(chan int), make(chan int, 1)
	go func() { done <- double.On(c)(in, out) }()
	var got []int
	for i := range 50 {
		in <- i
		got = append(got, arrives(t, "the answer", out))
	}
	close(in)
	if n := arrives(t, "the end", done); n != 50 || !slices.Equal(got[:3], []int{0, 2, 4}) || got[49] != 98 {
		t.Errorf("%d answers: %v", n, got)
	}
	if _, open := <-out; open {
		t.Error("the function closed the channel, and here it is open")
	}
}
