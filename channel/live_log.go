package channel

import (
	"context"
	"encoding/binary"
	"log/slog"
	"reflect"
	"sync"
)

// exportLogger gives the records of a logger's stand-in to its handler. The lowest level that it takes goes ahead.
func (b *Bridges) exportLogger(v reflect.Value) ([]uint32, error) {
	h := v.Interface().(*slog.Logger).Handler()
	s, err := b.open()
	if err != nil {
		return nil, err
	}
	level := binary.AppendVarint(nil, int64(lowest(b.ctx, h)))
	b.work.Go(func() {
		defer s.Close() //nolint:errcheck // the connection's end tells the rest
		if s.Send(b.ctx, level) != nil {
			return
		}
		for {
			record, err := s.Receive(b.ctx)
			if err != nil {
				return
			}
			if err := HandleRecord(b.ctx, h, record); err != nil {
				_ = s.CloseWithError(err)
				return
			}
		}
	})
	return []uint32{s.id}, nil
}

// lowest is the lowest level that a handler takes, as far as anybody sets one.
func lowest(ctx context.Context, h slog.Handler) slog.Level {
	for l := slog.Level(-16); l < 16; l++ {
		if h.Enabled(ctx, l) {
			return l
		}
	}
	return 16
}

// importLogger makes the stand-in of a logger.
func (b *Bridges) importLogger(s *Stream) reflect.Value {
	b.later(func() { _ = s.CloseWrite() })
	level := &farLevel{bridges: b, stream: s}
	return reflect.ValueOf(slog.New(NewLogHandler(level, func(_ context.Context, record []byte) error {
		return b.because(s.Send(b.ctx, record))
	})))
}

// A farLevel is the level that the original of a logger has.
type farLevel struct {
	bridges *Bridges
	stream  *Stream
	ask     sync.Once
	level   slog.Level
}

// Level waits for the level, which was sent ahead, the first time.
func (f *farLevel) Level() slog.Level {
	f.ask.Do(func() {
		item, err := f.stream.Receive(f.bridges.ctx)
		n, size := binary.Varint(item)
		if err == nil && size > 0 {
			f.level = slog.Level(n)
		}
	})
	return f.level
}
