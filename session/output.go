package session

import (
	"context"
	"io"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// A sink is a writer of the caller's that gets one write at a time, and no more once it failed: a full disk there must
// not stop the function.
type sink struct {
	mu     sync.Mutex // guards what follows
	w      io.Writer
	failed bool
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.failed {
		_, err := s.w.Write(p)
		s.failed = err != nil
	}
	return len(p), nil
}

// sinksOf returns sinks for two writers; one that is given twice has one sink.
func sinksOf(stdout, stderr io.Writer) (out, err *sink) {
	out = &sink{w: stdout}
	if same(stdout, stderr) {
		return out, out
	}
	return out, &sink{w: stderr}
}

// same compares writers, of which some cannot be compared.
func same(a, b io.Writer) bool {
	defer func() { _ = recover() }()
	return a == b
}

// An output is where what is written on the far side goes by default.
type output struct {
	out, err *sink
	log      slog.Handler
	limit    int64
}

func newOutput(o *Options) *output {
	stdout, stderr := o.Stdout, o.Stderr
	if stdout == nil {
		stdout = os.Stdout
	}
	if stderr == nil {
		stderr = os.Stderr
	}
	out := &output{limit: o.OutputLimit, log: o.Log}
	out.out, out.err = sinksOf(stdout, stderr)
	return out
}

// handler gets the records of the far side.
func (o *output) handler() slog.Handler {
	if o.log == nil {
		return slog.Default().Handler()
	}
	return o.log
}

// A callOutput takes in what one call writes.
type callOutput struct {
	out, err *sink
	copiers  sync.WaitGroup
	over     atomic.Int64 // bytes that were dropped
	function string
	records  func(record []byte) error // takes log records as they come; nil: the session's handler does
}

// init says where a call's output goes: to the writers in its context, else to the session's.
func (c *callOutput) init(ctx context.Context, o *output, function string) {
	c.out, c.err, c.function, c.records = o.out, o.err, function, channel.Records(ctx)
	if out, err, ok := box.Output(ctx); ok {
		c.out, c.err = sinksOf(out, err)
	}
	c.over.Store(0)
}

// wait returns when all that the call wrote has reached the writers.
func (c *callOutput) wait() { c.copiers.Wait() }

// dropped is how many bytes were over the limit.
func (c *callOutput) dropped() int64 { return c.over.Load() }

// Opened takes in a stream of output.
func (l *link) Opened(s *channel.Stream, p channel.Purpose, id uint32) {
	l.mu.Lock()
	c := l.calls[id]
	if c != nil {
		c.out.copiers.Add(1)
	}
	l.mu.Unlock()
	switch {
	case c == nil && id != 0:
		l.breach(wire.Frame{Type: wire.Open, Stream: s.ID()}, "output of a call that does not run")
	case c == nil:
		l.work.Go(func() { l.take(s, p, &callOutput{out: l.output.out, err: l.output.err}, 0) })
	default:
		go func() {
			defer c.out.copiers.Done()
			l.take(s, p, &c.out, l.output.limit)
		}()
	}
}

// take takes in output of one kind until it ends.
func (l *link) take(s *channel.Stream, p channel.Purpose, out *callOutput, limit int64) {
	if p == channel.ForLog {
		l.copyLog(s, out)
		return
	}
	out.copy(s, out.of(p), limit)
}

func (c *callOutput) of(p channel.Purpose) *sink {
	if p == channel.ForStderr {
		return c.err
	}
	return c.out
}

// buffers are for copying output.
var buffers = sync.Pool{New: func() any { return new([256 << 10]byte) }}

// copy takes output until it ends; what is over the limit is counted, and goes nowhere.
func (c *callOutput) copy(s *channel.Stream, to *sink, limit int64) {
	buf := buffers.Get().(*[256 << 10]byte)
	defer buffers.Put(buf)
	for left := limit; ; {
		n, err := s.Read(buf[:])
		if limit > 0 {
			c.over.Add(max(int64(n)-left, 0))
			n = int(min(int64(n), left))
			left -= int64(n)
		}
		if n > 0 {
			_, _ = to.Write(buf[:n])
		}
		if err != nil {
			_ = s.Close()
			return
		}
	}
}

// excess takes in what the transport prints on stdout around the protocol.
type excess struct {
	prefix, suffix wire.Excess
	after          bool      // the reply was there; the call's output may still be on its way to the caller
	live           io.Writer // gets the prefix as it comes, and the suffix at the end
}

func (e *excess) Write(p []byte) (int, error) {
	if e.after {
		return e.suffix.Write(p)
	}
	_, _ = e.live.Write(p)
	return e.prefix.Write(p)
}

func (e *excess) sum() box.Excess {
	return box.Excess{Prefix: e.prefix.Kept, Suffix: e.suffix.Kept, Dropped: e.prefix.Dropped + e.suffix.Dropped}
}
