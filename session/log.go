package session

import (
	"context"
	"log/slog"

	"github.com/seed354a1416/deliveryboy/channel"
)

// copyLog gives the records of a stream to whom the call wants them given, else to the handler, until they end. A record that
// cannot be read is dropped.
func (l *link) copyLog(s *channel.Stream, out *callOutput) {
	defer func() { _ = s.Close() }()
	from := []any{slog.String("via", l.via), slog.String("host", l.hello.Host), slog.Int("pid", l.hello.PID)}
	if out.function != "" {
		from = append(from, slog.String("func", out.function))
	}
	group, ctx := slog.Group("deliveryboy", from...), context.Background()
	give := out.records
	if give == nil {
		give = func(record []byte) error { return channel.HandleRecord(ctx, l.output.handler(), record, group) }
	}
	for {
		record, err := s.Receive(ctx)
		if err != nil {
			return
		}
		_ = give(record)
	}
}
