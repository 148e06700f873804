package channel

import (
	"context"
	"fmt"
	"io"
	"os"
	"reflect"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// Bridges connect the live values of one call with their stand-ins: Export on the side that has the values, Import on the
// other. Both sides may do both: arguments go one way, results the other.
type Bridges struct {
	mux    *Mux
	call   uint32
	ctx    context.Context // of the call: what waits on behalf of it ends with it
	cancel context.CancelCauseFunc
	over   chan struct{}  // closed when the call is
	work   sync.WaitGroup // what Finish and End wait for

	mu     sync.Mutex // guards what follows
	ended  bool
	closed bool // atEnd was done
	atEnd  []func()
	failed error // what nobody else will report
}

// NewBridges returns the bridges of a call. The context is the call's.
func NewBridges(ctx context.Context, m *Mux, call uint32) *Bridges {
	b := &Bridges{mux: m, call: call, over: make(chan struct{})}
	b.ctx, b.cancel = context.WithCancelCause(ctx)
	return b
}

// Export puts values on streams, and returns what the other side needs to find them. types gives the type of a slot.
// With an error, End is still to be called.
func (b *Bridges) Export(live []box.Live, types func(slot int) reflect.Type) ([]box.LiveRef, error) {
	var refs []box.LiveRef
	for _, l := range live {
		t := types(l.Slot)
		if t == nil || !l.Value.IsValid() || !l.Value.Type().AssignableTo(t) {
			return nil, unbridged(fmt.Sprintf("live value %d", l.Slot), l.Value.Type())
		}
		if l.Value.IsNil() {
			refs = append(refs, box.LiveRef{Slot: l.Slot})
			continue
		}
		ids, err := b.export(t, l.Value)
		if err != nil {
			return nil, err
		}
		for _, id := range ids {
			refs = append(refs, box.LiveRef{Slot: l.Slot, Stream: id})
		}
	}
	return refs, nil
}

func (b *Bridges) export(t reflect.Type, v reflect.Value) ([]uint32, error) {
	switch {
	case t == fileType:
		return b.exportFile(v)
	case t.Implements(endType):
		return b.exportEnd(v)
	case streams[t]:
		return b.exportStream(t, v)
	case t == loggerType:
		return b.exportLogger(v)
	case t == fsType:
		return b.exportFS(v)
	case t.Kind() == reflect.Func:
		return b.exportFunc(v)
	case t.Kind() == reflect.Chan && t.ChanDir() == reflect.RecvDir:
		return b.exportSource(v)
	case t.Kind() == reflect.Chan:
		return b.exportDrain(v)
	}
	return nil, unbridged("live value", t)
}

// Import makes stand-ins for what the other side has exported. For arguments it neither waits nor writes.
func (b *Bridges) Import(refs []box.LiveRef, types func(slot int) reflect.Type) ([]box.Live, error) {
	var live []box.Live
	for len(refs) > 0 {
		slot, n := refs[0].Slot, 1
		for n < len(refs) && refs[n].Slot == slot {
			n++
		}
		t := types(slot)
		if t == nil {
			return nil, &box.EncodingError{What: "live value", Why: fmt.Sprintf("slot %d holds none", slot)}
		}
		v, err := b.importRefs(t, refs[:n])
		if err != nil {
			return nil, err
		}
		into := reflect.New(t).Elem()
		if v.IsValid() {
			into.Set(v)
		}
		live = append(live, box.Live{Slot: slot, Value: into})
		refs = refs[n:]
	}
	return live, nil
}

// importRefs makes one stand-in; the zero Value is nil.
func (b *Bridges) importRefs(t reflect.Type, refs []box.LiveRef) (reflect.Value, error) {
	if refs[0].Stream == 0 && len(refs) == 1 {
		return reflect.Value{}, nil
	}
	if t == fileType {
		return b.importFile(refs[0].Stream)
	}
	ends := make([]*Stream, len(refs))
	for i, r := range refs {
		var err error
		if ends[i], err = b.mux.Adopt(r.Stream); err != nil {
			b.closeLater(ends[:i])
			return reflect.Value{}, err
		}
	}
	wanted := 1
	if streams[t] && t.Implements(readType) && t.Implements(writeType) {
		wanted = 2
	}
	if len(ends) != wanted {
		b.closeLater(ends)
		return reflect.Value{}, &box.EncodingError{What: "live value", Why: fmt.Sprintf("%d streams came for a %s, which has %d", len(ends), t, wanted)}
	}
	switch {
	case t.Implements(endType):
		return b.importEnd(t, ends[0])
	case streams[t]:
		return b.importStream(t, ends), nil
	case t == loggerType:
		return b.importLogger(ends[0]), nil
	case t == fsType:
		return b.importFS(ends[0])
	case t.Kind() == reflect.Func:
		return b.importFunc(t, ends[0])
	case t.Kind() == reflect.Chan && t.ChanDir() == reflect.RecvDir:
		return b.importSource(t, ends[0])
	case t.Kind() == reflect.Chan:
		return b.importDrain(t, ends[0])
	}
	return reflect.Value{}, unbridged("live value", t)
}

// Finish is for the side that called, when the reply has come: it waits until what the function has sent is where it
// belongs, and ends the rest. If ctx ends first, it waits no longer. The error is one of the caller's own values, which the
// function could not be told any more.
func (b *Bridges) Finish(ctx context.Context) error {
	b.stop()
	arrived := make(chan struct{})
	go func() { // ends when the work does, at the latest when the streams are closed below
		b.work.Wait()
		close(arrived)
	}()
	select {
	case <-arrived:
	case <-ctx.Done():
	}
	b.close()
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.failed
}

// End ends the bridges: stand-ins give ErrCallEnded, and what they have sent is followed by an end.
func (b *Bridges) End() {
	b.stop()
	b.work.Wait()
	b.close()
}

// stop lets nothing new begin.
func (b *Bridges) stop() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.ended {
		b.ended = true
		close(b.over)
	}
}

// close runs what is to be done at the end, once.
func (b *Bridges) close() {
	b.cancel(ErrCallEnded)
	b.mu.Lock()
	todo := b.atEnd
	b.closed, b.atEnd = true, nil
	b.mu.Unlock()
	for _, f := range todo {
		f()
	}
}

// later has f done at the end of the call; now, if that was.
func (b *Bridges) later(f func()) {
	b.mu.Lock()
	closed := b.closed
	if !closed {
		b.atEnd = append(b.atEnd, f)
	}
	b.mu.Unlock()
	if closed {
		f()
	}
}

// closeLater has streams closed at the end of the call that nothing else will close.
func (b *Bridges) closeLater(ends []*Stream) {
	for _, s := range ends {
		b.later(func() { _ = s.Close() })
	}
}

// fail notes an error that nobody else will report.
func (b *Bridges) fail(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.failed == nil {
		b.failed = err
	}
}

func (b *Bridges) isOver() bool {
	select {
	case <-b.over:
		return true
	default:
		return false
	}
}

// because turns an error of a stream that ended with its call into ErrCallEnded.
func (b *Bridges) because(err error) error {
	if err != nil && err != io.EOF && b.isOver() {
		return ErrCallEnded
	}
	return err
}

// open opens a stream for a value; it leaves with the message that refers to it.
func (b *Bridges) open() (*Stream, error) {
	b.mux.mu.Lock()
	if b.mux.err != nil {
		defer b.mux.mu.Unlock()
		return nil, &LostError{b.mux.err}
	}
	s := newStream(b.mux, b.mux.nextID(), true)
	b.mux.streams[s.id] = s
	b.mux.mu.Unlock()
	return s, b.mux.announce(s, ForValue, b.call, b.mux.wire.WriteLater)
}

// exportFile passes an open file on.
func (b *Bridges) exportFile(v reflect.Value) ([]uint32, error) {
	id := b.mux.NextID()
	if err := b.mux.SendFile(id, v.Interface().(*os.File)); err != nil {
		return nil, errNoLane("live value", err)
	}
	return []uint32{id}, nil
}

// fileWait is how long a file that a reply refers to may be on its way: it was sent before the reply.
const fileWait = 10 * time.Second

// importFile takes an open file that was passed on.
func (b *Bridges) importFile(id uint32) (reflect.Value, error) {
	ctx, cancel := context.WithTimeout(b.ctx, fileWait)
	defer cancel()
	if b.mux.o.Side == wire.Worker { // it came before the call, on the same wire
		cancel()
	}
	f, err := b.mux.File(ctx, id)
	if err != nil {
		return reflect.Value{}, &box.EncodingError{What: "live value", Why: "the open file did not come along", Err: err}
	}
	return reflect.ValueOf(f), nil
}
