package plugin

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// What the far side does for Reattach with a courier.
var (
	watch  = registry.Register("deliveryboy.plugin.watch", watchThere)
	reach  = registry.Register("deliveryboy.plugin.reach", reachThere)
	finish = registry.Register("deliveryboy.plugin.kill", killThere)
)

// watchThere finds the process of a record, says so, and returns when it has ended.
func watchThere(ctx context.Context, r Record, found func()) error {
	o, err := holdMine(r)
	if err != nil {
		return err
	}
	defer o.close()
	found()
	select {
	case <-o.over():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// reachThere connects a stream with the plugin of a record, until one of them ends.
func reachThere(ctx context.Context, r Record, stream io.ReadWriteCloser) error {
	o, err := holdMine(r)
	if err != nil {
		return err
	}
	defer o.close()
	c, err := o.dial(ctx)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	defer stop()
	go func() { // ends when this call is over: then the stream gives an error
		_, _ = io.Copy(c, stream)
		_ = c.Close()
	}()
	_, _ = io.Copy(stream, c)
	return nil
}

// killThere kills the process of a record.
func killThere(_ context.Context, r Record) error {
	o, err := holdMine(r)
	if err != nil {
		return err
	}
	defer o.close()
	return o.kill()
}

// afar is a grip on a process of a courier's side.
type afar struct {
	courier box.Courier
	record  Record
	ended   chan struct{}
	gone    chan struct{} // closed when the courier has lost sight of it
	cancel  context.CancelFunc
	work    sync.WaitGroup

	mu    sync.Mutex // guards what follows
	shut  bool       // no more connections
	cause error      // of the end of the last connection
}

// holdAfar finds the process of a record on a courier's side.
func holdAfar(ctx context.Context, c box.Courier, r Record) (*afar, error) {
	a := &afar{courier: c, record: r, ended: make(chan struct{}), gone: make(chan struct{})}
	var life context.Context
	life, a.cancel = context.WithCancel(context.WithoutCancel(ctx))
	found, failed := make(chan struct{}), make(chan error, 1)
	a.work.Go(func() {
		if err := watch.On(c)(life, r, func() { close(found) }); err != nil {
			failed <- err
			close(a.gone)
			return
		}
		close(a.ended)
	})
	var err error
	select {
	case <-found:
		return a, nil
	case err = <-failed:
	case <-a.ended:
		err = ErrGone
	case <-ctx.Done():
		err = ctx.Err()
	}
	a.close()
	return nil, err
}

func (a *afar) over() <-chan struct{} { return a.ended }
func (a *afar) lost() <-chan struct{} { return a.gone }

// kill has at most as long as a plugin has to say who it is.
func (a *afar) kill() error {
	ctx, cancel := context.WithTimeout(context.Background(), attachPatience)
	defer cancel()
	if err := finish.On(a.courier)(ctx, a.record); !errors.Is(err, ErrGone) {
		return err
	}
	return nil
}

// dial connects with the plugin by a call that lasts as long as the connection.
func (a *afar) dial(context.Context) (net.Conn, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.shut {
		return nil, net.ErrClosed
	}
	near, far := net.Pipe()
	a.work.Go(func() {
		err := reach.On(a.courier)(context.Background(), a.record, far)
		a.mu.Lock()
		a.cause = err
		a.mu.Unlock()
		_ = far.Close()
	})
	return near, nil
}

// why is what the far side said of the last connection.
func (a *afar) why() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.cause
}

func (a *afar) close() {
	a.mu.Lock()
	a.shut = true
	a.mu.Unlock()
	a.cancel()
	a.work.Wait()
}
