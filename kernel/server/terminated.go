package server

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
)

// endings hears SIGTERM and SIGINT, and ends a context then.
type endings struct {
	signals chan os.Signal
	looks   chan chan bool
	ctx     context.Context
	end     context.CancelFunc
}

// errEnding says that somebody has asked the kernel to end.
var errEnding = errors.New("the kernel is about to end")

// terminated ends its context at SIGTERM or SIGINT.
func terminated(ctx context.Context) (e *endings, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	e = &endings{signals: make(chan os.Signal, 1), looks: make(chan chan bool), ctx: ctx, end: cancel}
	e.hear()
	go func() {
		for {
			select {
			case <-e.signals:
				cancel()
			case answer := <-e.looks:
				answer <- len(e.signals) > 0
			case <-ctx.Done():
				return
			}
		}
	}()
	return e, func() {
		signal.Stop(e.signals)
		cancel()
	}
}

func (e *endings) hear() { signal.Notify(e.signals, syscall.SIGTERM, syscall.SIGINT) }

// deafen is for a process that is about to become another program. From now on such a signal ends it at once, and whoever
// watches it, the holder, sees that and has the next server end: no signal is lost between two programs. One that has come
// before is an error, and then all is as it was.
func (e *endings) deafen() error {
	if e == nil {
		return nil
	}
	signal.Stop(e.signals) // what has come by now is in the channel, or has been taken from it
	answer := make(chan bool, 1)
	select {
	case e.looks <- answer:
		if !<-answer {
			return nil
		}
	case <-e.ctx.Done():
	}
	e.hear()
	return errEnding
}
