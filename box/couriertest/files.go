package couriertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

var (
	report  = registry.Register("couriertest.report", reportTo)
	enabled = registry.Register("couriertest.enabled", func(ctx context.Context, l *slog.Logger) bool { return l.Enabled(ctx, slog.LevelDebug) })
	walk    = registry.Register("couriertest.walk", walkFiles)
	readOne = registry.Register("couriertest.readone", func(files fs.FS, name string) (string, error) {
		b, err := fs.ReadFile(files, name)
		return string(b), err
	})
	openFile = registry.Register("couriertest.open", os.Open)
	readFile = registry.Register("couriertest.readfile", func(f *os.File) (string, error) { b, err := io.ReadAll(f); return string(b), err })
)

// reportTo logs n records.
func reportTo(l *slog.Logger, n int) {
	l = l.With("unit", "disk").WithGroup("job")
	for i := range n {
		l.Warn("full", "percent", i, "where", slog.GroupValue(slog.String("host", "web1"), slog.Duration("for", time.Minute)))
	}
}

// A shelf keeps the records that its handler gets.
type shelf struct {
	mu      sync.Mutex
	level   slog.Level
	records []slog.Record
	common  []slog.Attr
	group   string
	root    *shelf
}

func (s *shelf) Enabled(_ context.Context, l slog.Level) bool { return l >= s.level }

func (s *shelf) Handle(_ context.Context, r slog.Record) error {
	top := s
	if s.root != nil {
		top = s.root
	}
	r = r.Clone()
	if s.group != "" {
		var attrs []any
		r.Attrs(func(a slog.Attr) bool { attrs = append(attrs, a); return true })
		r = slog.NewRecord(r.Time, r.Level, r.Message, r.PC)
		r.AddAttrs(slog.Group(s.group, attrs...))
	}
	r.AddAttrs(s.common...)
	top.mu.Lock()
	defer top.mu.Unlock()
	top.records = append(top.records, r)
	return nil
}

func (s *shelf) below() *shelf {
	root := s
	if s.root != nil {
		root = s.root
	}
	return &shelf{level: s.level, common: slices.Clone(s.common), group: s.group, root: root}
}

func (s *shelf) WithAttrs(attrs []slog.Attr) slog.Handler {
	b := s.below()
	if s.group != "" {
		b.common = append(b.common, slog.Attr{Key: s.group, Value: slog.GroupValue(attrs...)})
	} else {
		b.common = append(b.common, attrs...)
	}
	return b
}

func (s *shelf) WithGroup(name string) slog.Handler {
	b := s.below()
	b.group = strings.TrimPrefix(s.group+"."+name, ".")
	return b
}

// flat are the attributes of a record by their full names.
func flat(r slog.Record) map[string]string {
	out := map[string]string{}
	var put func(prefix string, a slog.Attr)
	put = func(prefix string, a slog.Attr) {
		if a.Value.Kind() != slog.KindGroup {
			out[prefix+a.Key] = a.Value.Resolve().String()
			return
		}
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, inner := range a.Value.Group() {
			put(prefix, inner)
		}
	}
	r.Attrs(func(a slog.Attr) bool { put("", a); return true })
	return out
}

func testLogger(t *testing.T, c box.Courier) {
	s := &shelf{level: slog.LevelInfo}
	before := time.Now()
	report.On(c)(slog.New(s), 50)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.records) != 50 {
		t.Fatalf("of 50 records %d were there when the call had returned", len(s.records))
	}
	for i, r := range s.records {
		got := flat(r)
		want := map[string]string{"unit": "disk", "job.percent": fmt.Sprint(i), "job.where.host": "web1", "job.where.for": "1m0s"}
		for k, v := range want {
			if got[k] != v {
				t.Fatalf("record %d: %s is %q, want %q, in %v", i, k, got[k], v, slices.Sorted(maps.Keys(got)))
			}
		}
		if r.Level != slog.LevelWarn || r.Message != "full" || r.Time.Before(before.Add(-time.Hour)) || r.Time.IsZero() {
			t.Fatalf("record %d: %v %q at %s", i, r.Level, r.Message, r.Time)
		}
	}
	if !enabled.On(c)(limited(t), slog.New(&shelf{level: slog.LevelDebug})) {
		t.Error("a logger for debugging is not enabled for debugging there")
	}
}

// walkFiles lists files with their sizes.
func walkFiles(files fs.FS) (found []string, err error) {
	err = fs.WalkDir(files, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		found = append(found, fmt.Sprintf("%s %v %d", path, info.Mode().Type(), info.Size()))
		return nil
	})
	return found, err
}

func testFS(t *testing.T, c box.Courier) {
	files := fstest.MapFS{
		"a.txt": {Data: []byte("alpha")}, "dir/b.bin": {Data: []byte(strings.Repeat("\x00\xff", 200_000))}, "dir/empty": {},
	}
	want, err := walkFiles(files)
	must(t, err)
	got, err := walk.On(c)(files)
	if err != nil || strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
	for name, f := range files {
		if s, err := readOne.On(c)(files, name); s != string(f.Data) || err != nil {
			t.Errorf("%s: %d bytes of %d, %v", name, len(s), len(f.Data), err)
		}
	}
	if _, err := readOne.On(c)(files, "nowhere"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, err := readOne.On(c)(files, "../etc/passwd"); !errors.Is(err, fs.ErrInvalid) && !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a name that leads out: %v", err)
	}
}

// testFile passes an open file both ways: as a descriptor where that is possible, and else it is refused with advice.
func testFile(t *testing.T, c box.Courier) {
	name := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(name, []byte("content"), 0o600))
	f, err := openFile.On(c)("/etc/passwd")
	if err != nil {
		refused(t, err)
	} else {
		got, err := io.ReadAll(f)
		want, _ := os.ReadFile("/etc/passwd")
		if string(got) != string(want) || err != nil {
			t.Errorf("the file has %d bytes, want %d, %v", len(got), len(want), err)
		}
		must(t, f.Close())
	}
	passes := err == nil
	mine, err := os.Open(name)
	must(t, err)
	defer mine.Close()
	got, err := readFile.On(c)(mine)
	switch {
	case passes && (got != "content" || err != nil):
		t.Errorf("the function read %q, %v", got, err)
	case !passes && err == nil:
		t.Error("an open file passes one way only")
	case !passes:
		refused(t, err)
	}
	if _, err := mine.Stat(); err != nil {
		t.Errorf("the caller's own file after the call: %v", err)
	}
	if _, err := openFile.On(c)("/does/not/exist"); !errors.Is(err, fs.ErrNotExist) && passes {
		t.Errorf("a file that is not there: %v", err)
	}
}

// refused wants the refusal to say what to use instead.
func refused(t *testing.T, err error) {
	t.Helper()
	var e *box.DeliveryError
	if !errors.As(err, &e) || !strings.Contains(err.Error(), "io.Read") {
		t.Errorf("refused without the advice to use a reader: %v", err)
	}
}
