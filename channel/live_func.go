package channel

import (
	"context"
	"fmt"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

var contextType = reflect.TypeFor[context.Context]()

const (
	maxCallbacks = 64        // that run at once, of one function
	maxWaiting   = 1024      // that run or wait; more are refused
	maxHeld      = 256 << 20 // bytes of arguments that these may have together
)

// A callback is what is known of the type of a function that is an argument.
type callback struct {
	typ           reflect.Type
	args, results *box.Codec
	hasContext    bool
	hasError      bool
}

var callbackTypes sync.Map // of reflect.Type to *callback

// maxCallbackDepth is how deep recursive types may go in callbacks whose function declares no depth.
const maxCallbackDepth = 64

func callbackOf(t reflect.Type, depth int) (*callback, error) {
	if c, ok := callbackTypes.Load(t); ok {
		return c.(*callback), nil
	}
	c := &callback{typ: t}
	c.hasContext = t.NumIn() > 0 && t.In(0) == contextType
	c.hasError = t.NumOut() > 0 && t.Out(t.NumOut()-1) == errorType
	in, out := valueTypes(t.Ins()), valueTypes(t.Outs())
	if c.hasContext {
		in = in[1:]
	}
	if c.hasError {
		out = out[:len(out)-1]
	}
	var err error
	if c.args, err = box.NewCodec("callback arg", in, depth); err != nil {
		return nil, err
	}
	if c.results, err = box.NewCodec("callback result", out, depth); err != nil {
		return nil, err
	}
	known, _ := callbackTypes.LoadOrStore(t, c)
	return known.(*callback), nil
}

func valueTypes(seq func(func(reflect.Type) bool)) (types []reflect.Type) {
	for t := range seq {
		types = append(types, t)
	}
	return types
}

// exportFunc serves a function to its stand-ins.
func (b *Bridges) exportFunc(v reflect.Value) ([]uint32, error) {
	c, err := callbackOf(v.Type(), maxCallbackDepth)
	if err != nil {
		return nil, err
	}
	s, err := b.open()
	if err != nil {
		return nil, err
	}
	turns := make(chan struct{}, maxCallbacks)
	h := &served{callback: c, fn: v}
	b.mux.serveCallbacks(s.id, func(f wire.Frame) {
		size := int64(0)
		for _, segment := range f.Segments {
			size += int64(len(segment))
		}
		leave := func() {
			h.waiting.Add(-1)
			h.held.Add(-size)
		}
		if waiting, held := h.waiting.Add(1), h.held.Add(size); waiting > maxWaiting || held > maxHeld+size {
			leave()
			b.mux.refuseCallback(f.Stream)
			return
		}
		if !b.serve(func() {
			defer leave()
			select {
			case turns <- struct{}{}:
				defer func() { <-turns }()
			case <-b.over:
			}
			b.answer(f, h)
		}) {
			leave()
			b.mux.refuseCallback(f.Stream)
		}
	})
	b.later(func() {
		b.mux.endCallbacks(s.id)
		_ = s.Close()
	})
	return []uint32{s.id}, nil
}

// serve runs f in a goroutine that Finish waits for; false if the call is over.
func (b *Bridges) serve(f func()) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return false
	}
	b.work.Go(f)
	return true
}

// answer runs a callback and sends what came of it.
func (b *Bridges) answer(f wire.Frame, h *served) {
	in, err := box.BoxFromSegments(f.Segments)
	if err != nil {
		b.reply(f.Stream, &box.Reply{Refusal: box.RefusalOf(err, false)})
		return
	}
	ctx, cancel := context.WithCancel(b.ctx)
	defer cancel()
	stop := context.AfterFunc(contextOf(b.over), cancel)
	defer stop()
	b.reply(f.Stream, box.Execute(ctx, h, in))
}

func (b *Bridges) reply(id uint32, r *box.Reply) {
	segments, err := r.Segments()
	if err != nil {
		segments, err = (&box.Reply{Refusal: box.RefusalOf(err, true), Run: r.Run}).Segments()
	}
	if err == nil {
		_ = b.mux.WriteMessage(wire.Reply, id, segments)
	}
}

// served is a function that is called from the other side. It is a box.Handler.
type served struct {
	*callback
	fn      reflect.Value
	waiting atomic.Int32 // callbacks that run or wait
	held    atomic.Int64 // bytes of their arguments
}

// Serve calls the function.
func (s *served) Serve(ctx context.Context, args box.Values, _ []box.Live) (results box.Values, _ []box.Live, err error) {
	in, err := s.args.Decode(args)
	if err != nil {
		return results, nil, box.RefusalOf(err, false)
	}
	if s.hasContext {
		in = append([]reflect.Value{reflect.ValueOf(ctx)}, in...)
	}
	call := s.fn.Call
	if s.typ.IsVariadic() {
		call = s.fn.CallSlice
	}
	out := call(in)
	var failed error
	if s.hasError {
		failed, _ = out[len(out)-1].Interface().(error)
		out = out[:len(out)-1]
	}
	results, err = s.results.Encode(out)
	if err != nil {
		return results, nil, box.RefusalOf(err, true)
	}
	return results, nil, failed
}

// importFunc makes the stand-in of a function.
func (b *Bridges) importFunc(t reflect.Type, s *Stream) (reflect.Value, error) {
	c, err := callbackOf(t, maxCallbackDepth)
	if err != nil {
		return reflect.Value{}, err
	}
	b.later(func() { _ = s.Close() })
	return reflect.MakeFunc(t, func(in []reflect.Value) []reflect.Value {
		out, err := b.callOut(c, s.id, in)
		if !c.hasError {
			if err != nil {
				panic(err)
			}
			return out
		}
		last := reflect.New(errorType).Elem()
		if err != nil {
			last.Set(reflect.ValueOf(err))
		}
		return append(out, last)
	}), nil
}

// callOut calls the original of a function.
func (b *Bridges) callOut(c *callback, id uint32, in []reflect.Value) (results []reflect.Value, err error) {
	results = c.zeros()
	if b.isOver() {
		return results, ErrCallEnded
	}
	ctx := b.ctx
	if c.hasContext {
		if given, ok := in[0].Interface().(context.Context); ok && given != nil {
			ctx = given
		}
		in = in[1:]
	}
	out := &box.Box{}
	if out.Args, err = c.args.Encode(in); err != nil {
		return results, err
	}
	segments, err := out.Segments()
	if err != nil {
		return results, err
	}
	answer, err := b.mux.callBack(ctx, b.over, id, segments)
	if err != nil {
		return results, b.because(err)
	}
	r, err := box.ReplyFromSegments(answer)
	if err != nil {
		return results, err
	}
	err = r.Err()
	if r.Refusal == nil && (r.Fault == nil || r.Fault.Kind == box.Returned) {
		got, bad := c.results.Decode(r.Results)
		if bad != nil {
			return results, fmt.Errorf("channel: callback: %w", bad)
		}
		results = got
	}
	return results, err
}

func (c *callback) zeros() []reflect.Value {
	var zeros []reflect.Value
	for i := range c.typ.NumOut() {
		if t := c.typ.Out(i); !c.hasError || i < c.typ.NumOut()-1 {
			zeros = append(zeros, reflect.Zero(t))
		}
	}
	return zeros
}

// contextOf is a context that is done when c is closed.
func contextOf(c <-chan struct{}) context.Context { return closing{context.Background(), c} }

type closing struct {
	context.Context
	c <-chan struct{}
}

func (c closing) Done() <-chan struct{} { return c.c }

func (c closing) Err() error {
	select {
	case <-c.c:
		return context.Canceled
	default:
		return nil
	}
}
