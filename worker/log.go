package worker

import (
	"context"
	"log"
	"log/slog"

	"github.com/seed354a1416/deliveryboy/channel"
)

// captureLog has log/slog send its records to the caller, whose handler decides which it takes. Package log goes on
// printing where it did: slog would have it make records, without a context, of what it prints.
func (s *server) captureLog() {
	out, flags := log.Writer(), log.Flags()
	slog.SetDefault(slog.New(channel.NewLogHandler(slog.LevelDebug, s.record)))
	log.SetOutput(out)
	log.SetFlags(flags)
}

// record sends a record as one of the call that ctx belongs to, or of the session.
func (s *server) record(ctx context.Context, record []byte) error {
	t := taskOf(ctx)
	if t == nil || t.isOver() {
		t = s.home
	}
	stream := t.opened(channel.ForLog)
	if stream == nil {
		return nil // the caller takes no more
	}
	return stream.Send(ctx, record)
}
