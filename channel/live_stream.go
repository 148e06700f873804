package channel

import (
	"context"
	"io"
	"reflect"
	"sync"
)

// exportStream bridges an io.Reader, an io.Writer, or what is both, with a stream for each.
func (b *Bridges) exportStream(t reflect.Type, v reflect.Value) (ids []uint32, err error) {
	value, closes := v.Interface(), t.Implements(closerType)
	closeIt := sync.OnceValue(func() error { return value.(io.Closer).Close() })
	if t.Implements(readType) {
		s, err := b.open()
		if err != nil {
			return nil, err
		}
		p := &pump{from: value.(io.Reader), to: s}
		p.begin(b)
		if closes {
			b.work.Go(func() { p.heedClose(closeIt) })
		}
		ids = append(ids, s.id)
	}
	if t.Implements(writeType) {
		s, err := b.open()
		if err != nil {
			return nil, err
		}
		b.work.Go(func() { b.drainTo(value.(io.Writer), s, closeIt) })
		ids = append(ids, s.id)
	}
	return ids, nil
}

// A pump carries what a reader gives to a stream, when the other side asks for it.
type pump struct {
	from io.Reader
	to   *Stream

	mu      sync.Mutex // guards what follows
	calm    sync.Cond  // one of them has changed
	reading bool       // in the reader's Read, which may take for ever
	done    bool
	closing bool // the other side has closed its stand-in: what the reader says from now on is about that
}

func (p *pump) begin(b *Bridges) {
	p.calm.L = &p.mu
	go p.run() // somebody waits for it below, as long as it can be waited for
	b.work.Go(func() {
		select {
		case <-b.over:
		case <-p.to.Closed():
		}
		_ = p.to.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		for !p.done && !p.reading {
			p.calm.Wait()
		}
	})
}

func (p *pump) run() {
	defer p.set(false, true)
	if p.to.Demanded(context.Background()) != nil {
		return
	}
	buf := pieces.Get().(*[]byte)
	defer pieces.Put(buf)
	for {
		p.set(true, false)
		n, err := p.from.Read(*buf)
		p.set(false, false)
		if n > 0 {
			if _, err := p.to.Write((*buf)[:n]); err != nil {
				return
			}
		}
		switch {
		case err == io.EOF:
			_ = p.to.CloseWrite()
			return
		case err != nil && p.isClosing():
			return // heedClose answers
		case err != nil:
			_ = p.to.CloseWithError(err)
			return
		}
	}
}

func (p *pump) isClosing() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closing
}

func (p *pump) set(reading, done bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.reading, p.done = reading, done
	p.calm.Broadcast()
}

// heedClose closes a reader when its stand-in is closed, which then writes a byte against the direction.
func (p *pump) heedClose(closeIt func() error) {
	var mark [1]byte
	if n, _ := p.to.Read(mark[:]); n > 0 {
		p.mu.Lock()
		p.closing = true
		p.mu.Unlock()
		_ = p.to.CloseWithError(closeIt())
	}
}

// drainTo carries what comes on a stream to a writer. A stand-in that is closed, and not only at its end, has said so by
// a demand before.
func (b *Bridges) drainTo(w io.Writer, s *Stream, closeIt func() error) {
	buf := pieces.Get().(*[]byte)
	defer pieces.Put(buf)
	for {
		n, err := s.Read(*buf)
		if n > 0 {
			if _, failed := w.Write((*buf)[:n]); failed != nil {
				_ = s.closeUnlessEnded(failed, func() { b.fail(failed) }) // the function may have written all it had
				b.later(s.heard)
				return
			}
		}
		if err == nil {
			continue
		}
		select {
		case <-s.demand:
			err = closeIt()
		default:
			err = nil
		}
		if err != nil {
			_ = s.CloseWithError(err)
		} else {
			_ = s.CloseWrite()
		}
		return
	}
}

// importStream makes the stand-in for a reader, a writer or both.
func (b *Bridges) importStream(t reflect.Type, ends []*Stream) reflect.Value {
	far := &farStream{bridges: b}
	if t.Implements(readType) {
		far.in, ends = ends[0], ends[1:]
		b.later(func() { _ = far.in.Close() })
	}
	if t.Implements(writeType) {
		far.out = ends[0]
		b.later(func() { _ = far.out.CloseWrite() })
	}
	return reflect.ValueOf(far)
}

// A farStream stands for a reader or writer of the other side.
type farStream struct {
	bridges *Bridges
	in, out *Stream // nil if it is no reader, no writer
	demand  sync.Once
	close   sync.Once
	closed  error
}

// Read asks for bytes, the first time, and reads them.
func (f *farStream) Read(p []byte) (int, error) {
	f.demand.Do(func() { _ = f.in.Demand() })
	n, err := f.in.ReadContext(f.bridges.ctx, p)
	return n, f.bridges.because(err)
}

// Write sends bytes.
func (f *farStream) Write(p []byte) (int, error) {
	n, err := f.out.WriteContext(f.bridges.ctx, p)
	return n, f.bridges.because(err)
}

// Close closes the original, and returns its error.
func (f *farStream) Close() error {
	f.close.Do(func() {
		s := f.out
		if s == nil {
			s = f.in
			_, f.closed = s.WriteContext(f.bridges.ctx, []byte{1})
		} else if f.closed = s.Demand(); f.closed == nil {
			f.closed = s.CloseWrite()
		}
		if f.closed == nil {
			f.closed = f.answered(s)
			s.meet()
		}
		if f.in != nil {
			_ = f.in.Close()
		}
		f.closed = f.bridges.because(f.closed)
	})
	return f.closed
}

// answered waits for the other side to have closed the original, which ends the stream. What it has sent goes nowhere.
func (f *farStream) answered(s *Stream) error {
	buf := pieces.Get().(*[]byte)
	defer pieces.Put(buf)
	for {
		if _, err := s.ReadContext(f.bridges.ctx, *buf); err != nil {
			break
		}
	}
	return s.Wait(f.bridges.ctx)
}
