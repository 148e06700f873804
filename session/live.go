package session

import (
	"context"
	"io"
	"reflect"
	"sync"
	"sync/atomic"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/registry"
)

// bridges serve the live arguments of one call. Nil ones have nothing to do.
type bridges struct{ *channel.Bridges }

// checkFiles refuses functions that take or return open files, before they run, where none can pass.
func (l *link) checkFiles(b *box.Box) error {
	if l.hello.Descriptors && l.process.socket {
		return nil
	}
	e, ok := registry.Lookup(b.Func)
	if !ok || e.OpenFile() == "" {
		return nil
	}
	return &box.EncodingError{What: e.OpenFile(), Why: "*os.File travels as a descriptor, which passes only between processes of one machine, through self, sudo or userns: over other transports use io.Reader, io.Writer or an io.ReadCloser result"}
}

// export puts what stays here of a box on streams: then b is a box that refers to them.
func (l *link) export(ctx context.Context, c *call, b **box.Box) error {
	if len((*b).Live) == 0 {
		return nil
	}
	e, err := entryOf(*b)
	if err != nil {
		return err
	}
	c.live = &bridges{channel.NewBridges(ctx, l.mux, c.id)}
	mine := **b
	mine.Streams, err = c.live.Export(mine.Live, e.LiveArg)
	*b = &mine
	return err
}

// takeLive waits until what the function wrote into live arguments has come, and makes proxies of the live results.
func (l *link) takeLive(ctx context.Context, c *call, b *box.Box, r *box.Reply) error {
	if c.live != nil {
		// What went wrong with a value of the caller's, and the function was not told any more, is the call's error.
		if err := c.live.Finish(ctx); err != nil && r.Fault == nil && r.Refusal == nil {
			return err
		}
	}
	if len(r.Streams) == 0 {
		return nil
	}
	e, err := entryOf(b)
	if err != nil {
		return err
	}
	// The results outlive the call, and its context.
	r.Live, err = channel.NewBridges(context.WithoutCancel(ctx), l.mux, c.id).Import(r.Streams, e.LiveResult)
	return err
}

func entryOf(b *box.Box) (*registry.Entry, error) {
	e, ok := registry.Lookup(b.Func)
	if !ok {
		return nil, &box.PackingError{Func: b.Func, Why: "no such function"}
	}
	return e, nil
}

// end gives up the live arguments of a call that will have no reply.
func (b *bridges) end() {
	if b != nil {
		b.End()
	}
}

// linger reports whether results of a one-shot call are still on their way. The worker then stays until they have come,
// and is ended by whoever reads the last of them.
func (l *link) linger(r *box.Reply) bool {
	open := new(atomic.Int32)
	for i, v := range r.Live {
		reader, ok := v.Value.Interface().(io.ReadCloser)
		if !ok || v.Value.Kind() != reflect.Interface {
			continue
		}
		open.Add(1)
		wrapped := reflect.New(v.Value.Type()).Elem()
		wrapped.Set(reflect.ValueOf(l.lastReader(reader, open)))
		r.Live[i].Value = wrapped
	}
	return open.Load() > 0
}

// A lastReader is a result that keeps a one-shot worker alive until it, and all others, are closed or at their end.
type lastReader struct {
	io.ReadCloser
	close func() error // closes it over there, and ends the link if it was the last one
}

func (l *link) lastReader(r io.ReadCloser, open *atomic.Int32) *lastReader {
	return &lastReader{r, sync.OnceValue(func() error {
		err := r.Close()
		if open.Add(-1) == 0 {
			l.end()
		}
		return err
	})}
}

func (r *lastReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil {
		_ = r.close()
	}
	return n, err
}

func (r *lastReader) Close() error { return r.close() }
