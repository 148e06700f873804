package channel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"reflect"
	"sync"
)

// A Channel is a two-way stream of values of type T between a caller and a function on another side.
//
// [Make] makes one. It becomes live when it is passed: as an argument of a registered function, whose parameter has the
// type *Channel[T], as a result, or as an item of another channel. The other side gets the other end; the maker keeps
// this one. Until then, whatever waits waits. An end can be passed once, and one that was got can be passed on once: what
// is sent then goes through this process, which has no more to do with that end.
//
//	lines := channel.Make[string]()
//	go follow.On(web)(ctx, "/var/log/syslog", lines)
//	for line, err := range lines.All(ctx) { … }
//
// Items arrive in order, and those that were sent before a close arrive before it. A channel that is an argument is
// closed when its call is over, if not before; others live as long as their connection. A Channel is safe for concurrent
// use.
type Channel[T any] struct {
	bound  chan struct{} // closed when stream is set
	stream *Stream
	items  items
	wanted chan struct{} // closed when onItem is set

	mu      sync.Mutex // guards what follows
	passed  bool
	came    bool          // from the other side, and was not passed on
	carried chan struct{} // closed when nothing more comes through what it was passed on to; nil if it was not
	onItem  func(T)
	onClose func(error)
	serving chan struct{} // closed when the last callback has returned; nil if there are none
}

// Make returns a channel that can be passed. It panics if T cannot travel.
func Make[T any]() *Channel[T] {
	it, err := itemsOf(reflect.TypeFor[T]())
	if err != nil {
		panic(fmt.Sprintf("channel: Make: %v", err))
	}
	return &Channel[T]{bound: make(chan struct{}), wanted: make(chan struct{}), items: it}
}

// ready waits until the channel is live.
func (c *Channel[T]) ready(ctx context.Context) (*Stream, error) {
	select {
	case <-c.bound:
		return c.stream, nil
	default:
	}
	select {
	case <-c.bound:
		return c.stream, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Send sends an item. It returns when the item is on its way, and waits while the other end does not receive.
func (c *Channel[T]) Send(ctx context.Context, v T) error {
	s, err := c.ready(ctx)
	if err != nil {
		return err
	}
	item := reflect.New(reflect.TypeFor[T]()).Elem()
	item.Set(reflect.ValueOf(&v).Elem())
	pieces, err := c.items.packOn(s.mux, item)
	if err != nil {
		return err
	}
	return s.Send(ctx, pieces...)
}

// Receive returns the next item. At the end it is io.EOF, after the other end's CloseWithError that error, after a Close
// of this end [ErrClosed], and a *[LostError] if the connection is gone. An item that cannot be decoded is an error, and
// the next Receive goes on with the next one.
func (c *Channel[T]) Receive(ctx context.Context) (v T, err error) {
	c.mu.Lock()
	taken := c.onItem != nil
	c.mu.Unlock()
	if taken {
		return v, errors.New("channel: Receive: the items go to OnItem")
	}
	return c.receive(ctx)
}

func (c *Channel[T]) receive(ctx context.Context) (v T, err error) {
	s, err := c.ready(ctx)
	if err != nil {
		return v, err
	}
	item, err := s.Receive(ctx)
	if err != nil {
		return v, err
	}
	got, err := c.items.unpackFrom(s.mux, item)
	if err != nil {
		return v, err
	}
	reflect.ValueOf(&v).Elem().Set(got)
	return v, nil
}

// All returns the items up to the end. An error other than the orderly end is the last pair.
func (c *Channel[T]) All(ctx context.Context) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			v, err := c.Receive(ctx)
			if err == io.EOF || !yield(v, err) || err != nil {
				return
			}
		}
	}
}

// OnItem has f called with every item, those that wait already first, one at a time and in order. Receive is not to be
// used then. It can be set once.
func (c *Channel[T]) OnItem(f func(T)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onItem != nil {
		return errors.New("channel: OnItem: it is set already")
	}
	c.onItem = f
	close(c.wanted)
	if c.serving == nil {
		c.serving = make(chan struct{})
		go c.serve(c.serving) // Wait waits for it
	}
	return nil
}

// OnClose has f called once, when no more items come: with nil after the orderly end, else with what Receive would give.
// With OnItem, f comes after the last item; without, items that nobody received are for nobody then. It can be set once.
func (c *Channel[T]) OnClose(f func(error)) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.onClose != nil {
		return errors.New("channel: OnClose: it is set already")
	}
	c.onClose = f
	if c.serving == nil {
		c.serving = make(chan struct{})
		go c.serve(c.serving) // Wait waits for it
	}
	return nil
}

// serve calls the callbacks. It ends when the channel does.
func (c *Channel[T]) serve(done chan struct{}) {
	defer close(done)
	<-c.bound
	var err error
	for err == nil {
		select {
		case <-c.wanted:
			var v T
			if v, err = c.receive(context.Background()); err == nil {
				c.onItem(v)
			}
			continue
		default:
		}
		select {
		case <-c.wanted:
		case <-c.stream.Closed():
			if err = c.stream.Err(); err == nil {
				err = io.EOF
			}
		}
	}
	c.mu.Lock()
	f := c.onClose
	c.mu.Unlock()
	if err == io.EOF {
		err = nil
	}
	if f != nil {
		f(err)
	}
}

// CloseSend ends this end's direction: the other end receives what was sent, and then io.EOF.
func (c *Channel[T]) CloseSend() error { return c.do((*Stream).CloseWrite) }

// Close ends both directions in good order. Closing again does nothing.
func (c *Channel[T]) Close() error { return c.do((*Stream).Close) }

// CloseWithError ends both directions; the other end receives what was sent, and then err.
func (c *Channel[T]) CloseWithError(err error) error {
	return c.do(func(s *Stream) error { return s.CloseWithError(err) })
}

// do is for a channel that is live. One that never was has no other end that could mind.
func (c *Channel[T]) do(f func(*Stream) error) error {
	select {
	case <-c.bound:
		return f(c.stream)
	default:
		return errors.New("channel: it was not passed to anybody yet")
	}
}

// Wait waits until both directions have ended, and the callbacks with them. It returns what Err does.
func (c *Channel[T]) Wait(ctx context.Context) error {
	s, err := c.ready(ctx)
	if err != nil {
		return err
	}
	if err := s.Wait(ctx); err != nil {
		return err
	}
	c.mu.Lock()
	serving := c.serving
	c.mu.Unlock()
	if serving != nil {
		select {
		case <-serving:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// Closed reports whether both directions have ended.
func (c *Channel[T]) Closed() bool {
	select {
	case <-c.bound:
	default:
		return false
	}
	select {
	case <-c.stream.Closed():
		return true
	default:
		return false
	}
}

// Err is nil while the channel is open, and after it was closed in good order; else it is why it ended.
func (c *Channel[T]) Err() error {
	select {
	case <-c.bound:
		return c.stream.Err()
	default:
		return nil
	}
}
