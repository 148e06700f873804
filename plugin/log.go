package plugin

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"
)

// levelTrace is hclog's lowest level among those of slog.
const levelTrace = slog.LevelDebug - 4

// levels are those of hclog, the lowest first.
var levels = []struct {
	theirs hclog.Level
	ours   slog.Level
}{
	{hclog.Trace, levelTrace}, {hclog.Debug, slog.LevelDebug}, {hclog.Info, slog.LevelInfo},
	{hclog.Warn, slog.LevelWarn}, {hclog.Error, slog.LevelError},
}

// newLogger returns a logger for go-plugin whose records go to h.
func newLogger(h slog.Handler) hclog.Logger {
	lowest := hclog.Off
	for _, l := range levels {
		if h.Enabled(context.Background(), l.ours) {
			lowest = l.theirs
			break
		}
	}
	l := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "plugin", Level: lowest, Output: io.Discard})
	l.RegisterSink(logSink{h})
	return l
}

// A logSink hands records of hclog to slog, with the logger's name as attribute "logger".
type logSink struct{ handler slog.Handler }

// Accept takes in a record.
func (s logSink) Accept(name string, level hclog.Level, msg string, args ...any) {
	ours := slog.LevelInfo
	for _, l := range levels {
		if l.theirs == level {
			ours = l.ours
		}
	}
	ctx := context.Background()
	if !s.handler.Enabled(ctx, ours) {
		return
	}
	r := slog.NewRecord(time.Now(), ours, msg, 0)
	r.AddAttrs(slog.String("logger", name))
	pairs := slices.Clone(args)
	for i, a := range pairs {
		if f, ok := a.(hclog.Format); ok {
			pairs[i] = formatted(f)
		}
	}
	r.Add(pairs...)
	_ = s.handler.Handle(ctx, r)
}

// formatted is the text of a value that brings its own format along.
func formatted(f hclog.Format) string {
	if len(f) == 0 {
		return ""
	}
	format, ok := f[0].(string)
	if !ok {
		return fmt.Sprint(f...)
	}
	return fmt.Sprintf(format, f[1:]...)
}
