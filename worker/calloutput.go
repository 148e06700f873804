package worker

import (
	"io"

	"github.com/seed354a1416/deliveryboy/channel"
)

// A callStream is a stream of output that is opened when there is any.
type callStream struct {
	stream  *channel.Stream
	deaf    bool  // the caller takes no more
	dropped int64 // bytes that it did not take
}

// write sends output of the call.
func (t *task) write(p channel.Purpose, data []byte) {
	n := 0
	if stream := t.opened(p); stream != nil {
		n, _ = stream.Write(data)
	}
	if n < len(data) {
		t.mu.Lock()
		c := t.outputOf(p)
		c.deaf, c.dropped = true, c.dropped+int64(len(data)-n)
		t.mu.Unlock()
	}
}

// opened returns the stream for a kind of output; nil if the caller takes no more.
func (t *task) opened(p channel.Purpose) *channel.Stream {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.outputOf(p)
	switch {
	case c.deaf:
		return nil
	case c.stream == nil:
		var err error
		if c.stream, err = t.server.mux.Open(p, t.id); err != nil {
			c.deaf = true
			return nil
		}
	}
	return c.stream
}

// isOver reports whether the reply is about to be sent, or was.
func (t *task) isOver() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.ended
}

func (t *task) outputOf(p channel.Purpose) *callStream {
	switch p {
	case channel.ForStderr:
		return &t.stderr
	case channel.ForLog:
		return &t.log
	default:
		return &t.stdout
	}
}

// closeOutput ends the streams of output, and returns how many bytes were dropped.
func (t *task) closeOutput() (dropped int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range []*callStream{&t.stdout, &t.stderr, &t.log} {
		if c.stream != nil {
			_ = c.stream.CloseWrite()
			c.stream = nil
		}
		c.deaf = true
		dropped += c.dropped
	}
	return dropped
}

// A callWriter writes what belongs to one call. After the call it drops everything.
type callWriter struct {
	task    *task
	purpose channel.Purpose
}

func (w callWriter) Write(p []byte) (int, error) {
	if w.task.isOver() {
		return 0, io.ErrClosedPipe
	}
	w.task.write(w.purpose, p)
	return len(p), nil
}
