package delivery

import (
	"context"
	"errors"
	"io"
	"reflect"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/registry"
)

// A loop connects the two ends of typed channels within this process, as a worker's wire does. Live values of all other
// kinds are handed to the function as they are.
type loop struct {
	near, far     *channel.Mux
	nearW, farW   *wire.Wire
	bridges, ends *channel.Bridges
	arrived       chan struct{} // what near has sent before its one call is here
	pipes         [2]*io.PipeWriter
	work          sync.WaitGroup
}

// channelKind is what package channel calls a typed channel.
var channelKind = channel.LiveKind(reflect.TypeFor[*channel.Channel[bool]](), false)

// throughLoop replaces the typed channels among the arguments of b by their other ends. The loop is nil if there are none.
func throughLoop(ctx context.Context, e *registry.Entry, b *box.Box) (*loop, error) {
	var ends, others []box.Live
	for _, v := range b.Live {
		if t := e.LiveArg(v.Slot); t != nil && channel.LiveKind(t, false) == channelKind && !v.Value.IsNil() {
			ends = append(ends, v)
		} else {
			others = append(others, v)
		}
	}
	if len(ends) == 0 {
		return nil, nil
	}
	l := newLoop(ctx)
	refs, err := l.bridges.Export(ends, e.LiveArg)
	if err == nil {
		err = l.near.WriteMessage(wire.Call, callID, nil)
	}
	if err == nil {
		select {
		case <-l.arrived:
		case <-l.far.Done():
			err = errors.New("the loop has ended")
		}
	}
	var there []box.Live
	if err == nil {
		there, err = l.ends.Import(refs, e.LiveArg)
	}
	if err != nil {
		l.close(ctx)
		return nil, err
	}
	b.Live = append(others, there...)
	return l, nil
}

const callID = 1

func newLoop(ctx context.Context) *loop {
	l := &loop{arrived: make(chan struct{}, 1)}
	fromNear, toFar := io.Pipe()
	fromFar, toNear := io.Pipe()
	l.pipes = [2]*io.PipeWriter{toFar, toNear}
	l.nearW = wire.NewBinary(fromFar, toFar, wire.Options{})
	l.farW = wire.NewBinary(fromNear, toNear, wire.Options{})
	l.near = channel.New(l.nearW, channel.Options{Side: wire.Caller, Handler: l})
	l.far = channel.New(l.farW, channel.Options{Side: wire.Worker, Handler: l})
	if l.near.NextID() != callID {
		panic("delivery: the first call has another number")
	}
	l.work.Go(func() { _ = l.near.Run() })
	l.work.Go(func() { _ = l.far.Run() })
	l.bridges = channel.NewBridges(ctx, l.near, callID)
	l.ends = channel.NewBridges(ctx, l.far, callID)
	return l
}

// close ends the channels. What was sent can still be received.
func (l *loop) close(ctx context.Context) {
	if l == nil {
		return
	}
	l.ends.End()
	_ = l.farW.Flush()
	_ = l.bridges.Finish(ctx)
	_ = l.nearW.Flush()
	for _, p := range l.pipes {
		_ = p.Close()
	}
	l.work.Wait()
}

// Message notes that the call is here.
func (l *loop) Message(wire.Frame) { l.arrived <- struct{}{} }

// Frame takes in what a call is told; there is nobody to tell.
func (l *loop) Frame(wire.Frame) {}

// Opened takes in output; there is none.
func (l *loop) Opened(*channel.Stream, channel.Purpose, uint32) {}
