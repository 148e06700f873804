package channel

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"time"
)

// A log record travels as: level, time, message, file, line, function, and the attributes, each with key, kind and
// value; a group's value is a list of attributes. Numbers are varints, strings stand behind their length.

const (
	maxRecord      = 1 << 20 // bytes of one record
	maxRecordDepth = 32      // groups within groups
)

var errBadRecord = errors.New("channel: a log record that cannot be read")

// NewLogHandler returns a handler that sends each record, encoded, from a level on. Groups and attributes that were given
// beforehand are sent along.
func NewLogHandler(level slog.Leveler, send func(ctx context.Context, record []byte) error) slog.Handler {
	return &logHandler{level: level, send: send}
}

type recordsKey struct{}

// WithRecords returns a context with which a call's log records go to a function, one at a time and as they came, instead of
// to the session's handler: to be passed on.
func WithRecords(ctx context.Context, take func(record []byte) error) context.Context {
	return context.WithValue(ctx, recordsKey{}, take)
}

// Records is the function of [WithRecords]; nil if the context has none.
func Records(ctx context.Context) func(record []byte) error {
	take, _ := ctx.Value(recordsKey{}).(func([]byte) error)
	return take
}

type logHandler struct {
	level slog.Leveler
	send  func(context.Context, []byte) error
	given []given
}

// A given is what WithGroup or WithAttrs added: a group that all later attributes are in, or attributes.
type given struct {
	group string
	attrs []slog.Attr
}

func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h *logHandler) WithGroup(name string) slog.Handler {
	if name == "" {
		return h
	}
	return h.with(given{group: name})
}

func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	if len(attrs) == 0 {
		return h
	}
	return h.with(given{attrs: attrs})
}

func (h *logHandler) with(g given) slog.Handler {
	return &logHandler{level: h.level, send: h.send, given: append(h.given[:len(h.given):len(h.given)], g)}
}

func (h *logHandler) Handle(ctx context.Context, r slog.Record) error {
	var attrs []slog.Attr
	r.Attrs(func(a slog.Attr) bool {
		if !a.Equal(slog.Attr{}) {
			attrs = append(attrs, a)
		}
		return true
	})
	for i := len(h.given) - 1; i >= 0; i-- {
		if g := h.given[i]; g.group == "" {
			attrs = append(g.attrs[:len(g.attrs):len(g.attrs)], attrs...)
		} else if len(attrs) > 0 {
			attrs = []slog.Attr{{Key: g.group, Value: slog.GroupValue(attrs...)}}
		}
	}
	record := encodeRecord(r, attrs)
	if len(record) > maxRecord {
		short := slog.NewRecord(r.Time, r.Level, r.Message[:min(len(r.Message), 1024)], r.PC)
		record = encodeRecord(short, []slog.Attr{slog.Int("dropped_bytes", len(record))})
	}
	return h.send(ctx, record)
}

func encodeRecord(r slog.Record, attrs []slog.Attr) []byte {
	out := binary.AppendVarint(nil, int64(r.Level))
	at := int64(0)
	if !r.Time.IsZero() {
		at = r.Time.UnixNano()
	}
	out = binary.AppendVarint(out, at)
	out = appendText(out, r.Message)
	var source slog.Source
	if r.PC != 0 {
		f, _ := runtime.CallersFrames([]uintptr{r.PC}).Next()
		source = slog.Source{Function: f.Function, File: f.File, Line: f.Line}
	}
	out = appendText(out, source.File)
	out = binary.AppendUvarint(out, uint64(source.Line))
	out = appendText(out, source.Function)
	return appendAttrs(out, attrs, 0)
}

func appendText(out []byte, s string) []byte {
	return append(binary.AppendUvarint(out, uint64(len(s))), s...)
}

func appendAttrs(out []byte, attrs []slog.Attr, depth int) []byte {
	out = binary.AppendUvarint(out, uint64(len(attrs)))
	for _, a := range attrs {
		out = appendText(out, a.Key)
		v := a.Value.Resolve()
		kind := v.Kind()
		if kind == slog.KindAny || kind == slog.KindGroup && depth >= maxRecordDepth {
			v, kind = slog.StringValue(textOf(v)), slog.KindString
		}
		out = append(out, byte(kind))
		switch kind {
		case slog.KindBool:
			n := uint64(0)
			if v.Bool() {
				n = 1
			}
			out = binary.AppendUvarint(out, n)
		case slog.KindInt64:
			out = binary.AppendVarint(out, v.Int64())
		case slog.KindUint64:
			out = binary.AppendUvarint(out, v.Uint64())
		case slog.KindFloat64:
			out = binary.AppendUvarint(out, math.Float64bits(v.Float64()))
		case slog.KindDuration:
			out = binary.AppendVarint(out, int64(v.Duration()))
		case slog.KindTime:
			out = binary.AppendVarint(out, v.Time().UnixNano())
		case slog.KindGroup:
			out = appendAttrs(out, v.Group(), depth+1)
		default:
			out = appendText(out, v.String())
		}
	}
	return out
}

// textOf is a value that cannot travel as what it is. Its own methods may panic.
func textOf(v slog.Value) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprintf("!PANIC: %v", r)
		}
	}()
	if err, ok := v.Any().(error); ok {
		return err.Error()
	}
	return fmt.Sprintf("%+v", v.Any())
}

// HandleRecord gives a record that came to a handler, as it was, with its source under slog.SourceKey and with extra
// attributes. A bad record is an error, and a handler that does not want its level gets none.
func HandleRecord(ctx context.Context, h slog.Handler, record []byte, extra ...slog.Attr) error {
	r, err := decodeRecord(record)
	if err != nil || !h.Enabled(ctx, r.Level) {
		return err
	}
	r.AddAttrs(extra...)
	return h.Handle(ctx, r)
}

func decodeRecord(record []byte) (r slog.Record, err error) {
	if len(record) > maxRecord {
		return r, errBadRecord
	}
	d := recordReader{in: record}
	level, at, message := d.int(), d.int(), d.text()
	source := slog.Source{File: d.text(), Line: int(d.uint()), Function: d.text()}
	attrs := d.attrs(0)
	if d.bad || len(d.in) > 0 {
		return r, errBadRecord
	}
	var t time.Time
	if at != 0 {
		t = time.Unix(0, at)
	}
	r = slog.NewRecord(t, slog.Level(level), message, 0)
	r.AddAttrs(attrs...)
	if source.File != "" {
		r.AddAttrs(slog.Any(slog.SourceKey, &source))
	}
	return r, nil
}

type recordReader struct {
	in  []byte
	bad bool
}

func (d *recordReader) uint() uint64 {
	n, size := binary.Uvarint(d.in)
	return advance(d, n, size)
}

func (d *recordReader) int() int64 {
	n, size := binary.Varint(d.in)
	return advance(d, n, size)
}

func advance[N int64 | uint64](d *recordReader, n N, size int) N {
	if size <= 0 {
		d.bad, d.in = true, nil
		return 0
	}
	d.in = d.in[size:]
	return n
}

func (d *recordReader) text() string {
	n := d.uint()
	if n > uint64(len(d.in)) {
		d.bad, d.in = true, nil
		return ""
	}
	s := string(d.in[:n])
	d.in = d.in[n:]
	return s
}

func (d *recordReader) attrs(depth int) []slog.Attr {
	n := d.uint()
	if n > uint64(len(d.in)) || depth > maxRecordDepth+1 {
		d.bad, d.in = true, nil
		return nil
	}
	var attrs []slog.Attr
	for range n {
		if d.bad {
			return nil
		}
		attrs = append(attrs, slog.Attr{Key: d.text(), Value: d.value(depth)})
	}
	return attrs
}

func (d *recordReader) value(depth int) slog.Value {
	if len(d.in) == 0 {
		d.bad = true
		return slog.Value{}
	}
	kind := slog.Kind(d.in[0])
	d.in = d.in[1:]
	switch kind {
	case slog.KindBool:
		return slog.BoolValue(d.uint() == 1)
	case slog.KindInt64:
		return slog.Int64Value(d.int())
	case slog.KindUint64:
		return slog.Uint64Value(d.uint())
	case slog.KindFloat64:
		return slog.Float64Value(math.Float64frombits(d.uint()))
	case slog.KindDuration:
		return slog.DurationValue(time.Duration(d.int()))
	case slog.KindTime:
		return slog.TimeValue(time.Unix(0, d.int()))
	case slog.KindGroup:
		return slog.GroupValue(d.attrs(depth + 1)...)
	case slog.KindString:
		return slog.StringValue(d.text())
	}
	d.bad, d.in = true, nil
	return slog.Value{}
}
