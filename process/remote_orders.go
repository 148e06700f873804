package process

import (
	"context"
	"errors"
	"sync"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// killPatience is how long a far side may take to kill a process before the call is ended, and with it the process.
const killPatience = 15 * time.Second

// do has the far side do something, and returns what came of it.
func (r *remote) do(ctx context.Context, o order) (report, error) {
	answer := make(chan report, 1)
	r.mu.Lock()
	r.last++
	o.ID = r.last
	r.pending[o.ID] = answer
	r.mu.Unlock()
	defer func() {
		r.mu.Lock()
		delete(r.pending, o.ID)
		r.mu.Unlock()
	}()
	select {
	case r.orders <- o:
	case <-r.over:
		return report{}, ErrDone
	case <-ctx.Done():
		return report{}, ctx.Err()
	}
	select {
	case rep := <-answer:
		return rep, rep.error()
	case <-r.quiet: // the answer may have come just before the end
		select {
		case rep := <-answer:
			return rep, rep.error()
		default:
			return report{}, ErrDone
		}
	case <-ctx.Done():
		return report{}, ctx.Err()
	}
}

func (r report) error() error {
	if r.Fault == nil {
		return nil
	}
	f, err := box.DecodeFault(r.Fault)
	if err != nil {
		return err
	}
	return f.Err(box.Origin{Func: FunctionName})
}

func (r *remote) pid() int     { return r.began.PID }
func (r *remote) path() string { return r.began.Path }

func (r *remote) signal(ctx context.Context, sig syscall.Signal) error {
	_, err := r.do(ctx, order{Do: orderSignal, Signal: SignalName(sig)})
	return err
}

func (r *remote) terminate(ctx context.Context, grace time.Duration) error {
	_, err := r.do(ctx, order{Do: orderTerminate, Grace: grace})
	return err
}

// kill has the far side kill all of it. If that does not answer, the end of the call does it.
func (r *remote) kill(ctx context.Context) error {
	ctx, stop := context.WithTimeout(ctx, killPatience)
	defer stop()
	_, err := r.do(ctx, order{Do: orderKill})
	if ctx.Err() != nil {
		r.cancel()
		return nil
	}
	return err
}

func (r *remote) stats(ctx context.Context) (Stats, error) {
	rep, err := r.do(ctx, order{Do: orderStats})
	if err == nil && rep.Stats == nil {
		err = errors.New("process: the far side measured nothing")
	}
	if err != nil {
		return Stats{}, err
	}
	return *rep.Stats, nil
}

func (r *remote) write(label string, data []byte) (n int, err error) {
	r.mu.Lock()
	lock := r.locks[label]
	if lock == nil {
		lock = new(sync.Mutex)
		r.locks[label] = lock
	}
	r.mu.Unlock()
	lock.Lock()
	defer lock.Unlock()
	for len(data) > 0 {
		part := data[:min(len(data), maxData)]
		rep, err := r.do(context.Background(), order{Do: orderWrite, Label: label, Data: part})
		n += min(max(rep.Done, 0), len(part))
		if err != nil {
			return n, err
		}
		data = data[len(part):]
	}
	return n, nil
}

func (r *remote) mute(output string) error {
	_, err := r.do(context.Background(), order{Do: orderMute, Label: output})
	return err
}

func (r *remote) closeWrite(label string) error {
	_, err := r.do(context.Background(), order{Do: orderClose, Label: label})
	return err
}
