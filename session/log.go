package session

import (
	"context"
	"log/slog"

	"github.com/seed354a1416/deliveryboy/channel"
)

// copyLog gives the records of a stream to the handler until they end. A record that cannot be read is dropped.
func (l *link) copyLog(s *channel.Stream, function string) {
	defer func() { _ = s.Close() }()
	from := []any{slog.String("via", l.via), slog.String("host", l.hello.Host), slog.Int("pid", l.hello.PID)}
	if function != "" {
		from = append(from, slog.String("func", function))
	}
	group, ctx := slog.Group("deliveryboy", from...), context.Background()
	for {
		record, err := s.Receive(ctx)
		if err != nil {
			return
		}
		_ = channel.HandleRecord(ctx, l.output.handler(), record, group)
	}
}
