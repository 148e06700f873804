package channel

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/slogtest"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// call plays a call with one live argument: f is the function, and gets the stand-in of v.
func call[T any](t *testing.T, v T, f func(ctx context.Context, far T) error) error {
	t.Helper()
	near, far, _ := connect(t, Options{})
	return callOn(t, near, far, v, f)
}

func callOn[T any](t *testing.T, near, far *peer, v T, f func(ctx context.Context, far T) error) error {
	t.Helper()
	typ := reflect.TypeFor[T]()
	if err := CheckLive(typ, 0); err != nil {
		t.Fatal(err)
	}
	if LiveKind(typ, false) == "" {
		t.Fatalf("%s is not live", typ)
	}
	slot := func(n int) reflect.Type {
		if n == 0 {
			return typ
		}
		return nil
	}
	ctx := within(t)
	mine, its := NewBridges(ctx, near.Mux, 1), NewBridges(ctx, far.Mux, 1)
	refs, err := mine.Export([]box.Live{{Slot: 0, Value: reflect.ValueOf(&v).Elem()}}, slot)
	if err != nil {
		mine.End()
		return err
	}
	if err := near.WriteFrame(wire.Started, 0, 1); err != nil { // stands for the call: all openings come before it
		t.Fatal(err)
	}
	<-far.frames
	live, err := its.Import(refs, slot)
	if err != nil {
		t.Fatal(err)
	}
	var arg T
	reflect.ValueOf(&arg).Elem().Set(live[0].Value)
	failed := f(ctx, arg)
	its.End()
	if err := far.WriteFrame(wire.Started, 0, 1); err != nil { // stands for the reply: what the call has sent comes before it
		t.Fatal(err)
	}
	<-near.frames
	if err := mine.Finish(ctx); err != nil && failed == nil {
		failed = err
	}
	return failed
}

// nilCall is call for a nil value.
func nilCall[T any](t *testing.T) {
	t.Helper()
	var none T
	if err := call(t, none, func(_ context.Context, far T) error {
		if v := reflect.ValueOf(&far).Elem(); !v.IsNil() {
			t.Errorf("a nil %s arrived as %v", v.Type(), v)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestNil(t *testing.T) {
	nilCall[io.Reader](t)
	nilCall[io.ReadWriteCloser](t)
	nilCall[<-chan int](t)
	nilCall[chan<- int](t)
	nilCall[func()](t)
	nilCall[*slog.Logger](t)
	nilCall[fs.FS](t)
	nilCall[*os.File](t)
	nilCall[*Channel[int]](t)
}

func TestCheckLive(t *testing.T) {
	for _, typ := range []reflect.Type{
		reflect.TypeFor[<-chan func()](), reflect.TypeFor[func(chan int)](), reflect.TypeFor[func() any](), reflect.TypeFor[*Channel[func()]](),
		reflect.TypeFor[*Channel[struct{ x int }]](),
	} {
		if err := CheckLive(typ, 0); err == nil && typ != reflect.TypeFor[func() any]() {
			t.Errorf("%s passes", typ)
		}
	}
	for _, typ := range []reflect.Type{reflect.TypeFor[chan int](), reflect.TypeFor[int](), reflect.TypeFor[error](), reflect.TypeFor[*bytes.Buffer]()} {
		if kind := LiveKind(typ, false); kind != "" {
			t.Errorf("%s is %s", typ, kind)
		}
	}
}

func TestReader(t *testing.T) {
	text := strings.Repeat("0123456789", 100_000)
	err := call(t, io.Reader(strings.NewReader(text)), func(_ context.Context, far io.Reader) error {
		got, err := io.ReadAll(far)
		if string(got) != text {
			t.Errorf("got %d bytes of %d", len(got), len(text))
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// Nothing is taken from a reader that the function does not read.
func TestReaderIsNotReadAhead(t *testing.T) {
	r := strings.NewReader("untouched")
	if err := call(t, io.Reader(r), func(context.Context, io.Reader) error { return nil }); err != nil || r.Len() != 9 {
		t.Errorf("%d bytes are left, %v", r.Len(), err)
	}
}

func TestReaderError(t *testing.T) {
	broken := io.MultiReader(strings.NewReader("half"), errReader{&fs.PathError{Op: "read", Path: "/x", Err: fs.ErrPermission}})
	err := call(t, io.Reader(broken), func(_ context.Context, far io.Reader) error {
		got, err := io.ReadAll(far)
		if string(got) != "half" {
			t.Errorf("got %q", got)
		}
		return err
	})
	var p *fs.PathError
	if !errors.Is(err, fs.ErrPermission) || !errors.As(err, &p) || p.Path != "/x" {
		t.Errorf("got %v", err)
	}
}

type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) { return 0, e.err }

// A Read that hangs does not hold the end of the call up.
func TestReaderThatHangs(t *testing.T) {
	r, w := io.Pipe()
	if err := call(t, io.Reader(r), func(ctx context.Context, far io.Reader) error {
		ctx, cancel := context.WithTimeout(ctx, 10*time.Millisecond)
		defer cancel()
		go far.Read(make([]byte, 1)) //nolint:errcheck // it ends with the call
		<-ctx.Done()
		return nil
	}); err != nil {
		t.Error(err)
	}
	w.Close()
}

func TestClosers(t *testing.T) {
	for _, closes := range []bool{true, false} {
		c := &closer{Reader: strings.NewReader("some text"), err: fs.ErrInvalid}
		err := call(t, io.ReadCloser(c), func(_ context.Context, far io.ReadCloser) error {
			if _, err := far.Read(make([]byte, 4)); err != nil {
				t.Error(err)
			}
			if closes {
				return far.Close()
			}
			return nil
		})
		if closes != errors.Is(err, fs.ErrInvalid) || closes != (c.closed == 1) {
			t.Errorf("closed by the function: %t; closed %d times, %v", closes, c.closed, err)
		}
		c = &closer{err: fs.ErrInvalid}
		err = call(t, io.WriteCloser(c), func(_ context.Context, far io.WriteCloser) error {
			if _, err := far.Write([]byte("text")); err != nil {
				t.Error(err)
			}
			if closes {
				return far.Close()
			}
			return nil
		})
		if closes != errors.Is(err, fs.ErrInvalid) || closes != (c.closed == 1) || c.String() != "text" {
			t.Errorf("closed by the function: %t; closed %d times, wrote %q, %v", closes, c.closed, c.String(), err)
		}
	}
}

type closer struct {
	io.Reader
	bytes.Buffer
	closed int
	err    error
}

func (c *closer) Read(p []byte) (int, error) { return c.Reader.Read(p) }
func (c *closer) Close() error {
	c.closed++
	return c.err
}

func TestReadWriteCloser(t *testing.T) {
	c := &closer{Reader: strings.NewReader("question")}
	err := call(t, io.ReadWriteCloser(c), func(_ context.Context, far io.ReadWriteCloser) error {
		q, err := io.ReadAll(far)
		if err != nil {
			return err
		}
		if _, err := far.Write(append(q, " and answer"...)); err != nil {
			return err
		}
		return far.Close()
	})
	if err != nil || c.String() != "question and answer" || c.closed != 1 {
		t.Errorf("%q, closed %d times, %v", c.String(), c.closed, err)
	}
}

// What the function has written has reached the writer when the call returns.
func TestWriter(t *testing.T) {
	var out bytes.Buffer
	text := strings.Repeat("abcdefgh", 200_000)
	if err := call(t, io.Writer(&out), func(_ context.Context, far io.Writer) error {
		_, err := io.WriteString(far, text)
		return err
	}); err != nil || out.String() != text {
		t.Errorf("%d bytes of %d arrived, %v", out.Len(), len(text), err)
	}
}

func TestWriterThatFails(t *testing.T) {
	err := call(t, io.Writer(errWriter{fs.ErrPermission}), func(_ context.Context, far io.Writer) error {
		for {
			if _, err := far.Write(make([]byte, 1000)); err != nil {
				return err
			}
		}
	})
	if !errors.Is(err, fs.ErrPermission) {
		t.Errorf("got %v", err)
	}
}

// An error of the writer that comes when the function has written all it had is the call's, unless the function met it.
func TestWriterThatFailsBehindTheFunction(t *testing.T) {
	write := func(far io.Writer) error { _, err := far.Write([]byte("x")); return err }
	gone := func(far io.Writer) { <-far.(*farStream).out.Closed() }
	for name, c := range map[string]struct {
		f    func(far io.WriteCloser) error
		want error
	}{
		"it writes no more": {func(far io.WriteCloser) error { defer gone(far); return write(far) }, fs.ErrPermission},
		"it ends at once":   {func(far io.WriteCloser) error { return write(far) }, fs.ErrPermission},
		"it was told by a write, and does not mind": {func(far io.WriteCloser) error {
			_ = write(far)
			gone(far)
			if err := write(far); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("the next write: %v", err)
			}
			return nil
		}, nil},
		"it was told by its close, and does not mind": {func(far io.WriteCloser) error {
			_ = write(far)
			gone(far)
			if err := far.Close(); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("its close: %v", err)
			}
			return nil
		}, nil},
		"it was told by its close at once, and does not mind": {func(far io.WriteCloser) error {
			_ = write(far)
			if err := far.Close(); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("its close: %v", err)
			}
			return nil
		}, nil},
		"it fails by itself": {func(far io.WriteCloser) error { _ = write(far); gone(far); return fs.ErrInvalid }, fs.ErrInvalid},
	} {
		t.Run(name, func(t *testing.T) {
			for range 100 { // who is first differs
				near, far, _ := connect(t, Options{})
				v := io.WriteCloser(struct {
					io.Writer
					io.Closer
				}{errWriter{fs.ErrPermission}, io.NopCloser(nil)})
				err := callOn(t, near, far, v, func(_ context.Context, far io.WriteCloser) error { return c.f(far) })
				if !errors.Is(err, c.want) {
					t.Fatalf("%v, not %v", err, c.want)
				}
				if n := near.Streams(); n > 0 {
					t.Fatalf("%d streams are left", n)
				}
			}
		})
	}
}

type errWriter struct{ err error }

func (e errWriter) Write([]byte) (int, error) { return 0, e.err }

func TestSourceChan(t *testing.T) {
	ch := make(chan string, 10)
	for _, s := range []string{"a", "", "c", "left"} {
		ch <- s
	}
	if err := call(t, (<-chan string)(ch), func(_ context.Context, far <-chan string) error {
		if got := []string{<-far, <-far, <-far}; !reflect.DeepEqual(got, []string{"a", "", "c"}) {
			t.Errorf("got %q", got)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
	close(ch)
	n := 0
	if err := call(t, (<-chan string)(ch), func(_ context.Context, far <-chan string) error {
		for range far {
			n++
		}
		return nil
	}); err != nil || n > 1 {
		t.Errorf("%d more, %v", n, err)
	}
}

func TestDrainChan(t *testing.T) {
	ch := make(chan int)
	var got []int
	var reading sync.WaitGroup
	reading.Go(func() {
		for n := range ch {
			got = append(got, n)
		}
	})
	if err := call(t, (chan<- int)(ch), func(_ context.Context, far chan<- int) error {
		for n := range 500 {
			far <- n
		}
		close(far)
		return nil
	}); err != nil {
		t.Error(err)
	}
	reading.Wait()
	for i, n := range got {
		if i != n {
			t.Fatalf("item %d is %d", i, n)
		}
	}
	if len(got) != 500 {
		t.Errorf("%d items arrived", len(got))
	}
}

// The end of a call does not close a channel of the caller's.
func TestDrainStaysOpen(t *testing.T) {
	ch := make(chan int, 1)
	if err := call(t, (chan<- int)(ch), func(_ context.Context, far chan<- int) error {
		far <- 7
		return nil
	}); err != nil {
		t.Error(err)
	}
	if n := <-ch; n != 7 {
		t.Errorf("got %d", n)
	}
	select {
	case _, open := <-ch:
		t.Errorf("the channel is open: %t", open)
	default:
	}
}

func TestCallback(t *testing.T) {
	type point struct{ X, Y int }
	f := func(_ context.Context, p *point, more ...string) (int, []string, error) {
		if p == nil {
			return 1, nil, fs.ErrNotExist
		}
		return p.X + p.Y, more, nil
	}
	if err := call(t, f, func(ctx context.Context, far func(context.Context, *point, ...string) (int, []string, error)) error {
		n, more, err := far(ctx, &point{1, 2}, "a", "b")
		if n != 3 || len(more) != 2 || err != nil {
			t.Errorf("%d, %v, %v", n, more, err)
		}
		n, more, err = far(ctx, nil)
		if n != 1 || more != nil || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d, %v, %v", n, more, err)
		}
		return nil
	}); err != nil {
		t.Error(err)
	}
}

func TestCallbackPanics(t *testing.T) {
	var p *box.PanicError
	err := call(t, func() error { panic("boom") }, func(_ context.Context, far func() error) error { return far() })
	if !errors.As(err, &p) {
		t.Errorf("got %v", err)
	}
	err = call(t, func() { panic("boom") }, func(_ context.Context, far func()) (err error) {
		defer func() { err, _ = recover().(error) }()
		far()
		return nil
	})
	if !errors.As(err, &p) {
		t.Errorf("got %v", err)
	}
}

func TestCallbacksRunAtOnce(t *testing.T) {
	const n = 20
	var here sync.WaitGroup
	here.Add(n)
	err := call(t, func() { here.Done(); here.Wait() }, func(_ context.Context, far func()) error {
		var callers sync.WaitGroup
		for range n {
			callers.Go(far)
		}
		callers.Wait()
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCallbackAfterTheCall(t *testing.T) {
	var kept func() error
	var loud func()
	near, far, _ := connect(t, Options{})
	_ = callOn(t, near, far, func() error { return nil }, func(_ context.Context, far func() error) error { kept = far; return nil })
	_ = callOn(t, near, far, func() {}, func(_ context.Context, far func()) error { loud = far; return nil })
	if err := kept(); !errors.Is(err, ErrCallEnded) {
		t.Errorf("got %v", err)
	}
	defer func() {
		if err, _ := recover().(error); !errors.Is(err, ErrCallEnded) {
			t.Errorf("got %v", err)
		}
	}()
	loud()
}

// A callback that blocks holds its caller until that gives up, and its own context ends with the call.
func TestCallbackThatBlocks(t *testing.T) {
	err := call(t, func(ctx context.Context) error { <-ctx.Done(); return nil }, func(ctx context.Context, far func(context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, 20*time.Millisecond)
		defer cancel()
		return far(ctx)
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestUseAfterTheCall(t *testing.T) {
	var r io.Reader
	var w io.Writer
	near, far, _ := connect(t, Options{})
	_ = callOn(t, near, far, io.Reader(strings.NewReader("x")), func(_ context.Context, far io.Reader) error { r = far; return nil })
	_ = callOn(t, near, far, io.Writer(io.Discard), func(_ context.Context, far io.Writer) error { w = far; return nil })
	if _, err := r.Read(make([]byte, 1)); !errors.Is(err, ErrCallEnded) {
		t.Errorf("Read: %v", err)
	}
	if _, err := w.Write([]byte("x")); !errors.Is(err, ErrCallEnded) {
		t.Errorf("Write: %v", err)
	}
	for ctx := within(t); near.Streams()+far.Streams() > 0 && ctx.Err() == nil; { // the last ends are on their way
		time.Sleep(time.Millisecond)
	}
	if n := near.Streams() + far.Streams(); n != 0 {
		t.Errorf("%d streams are left", n)
	}
}

func TestLogger(t *testing.T) {
	var out bytes.Buffer
	l := slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelInfo}))
	err := call(t, l, func(_ context.Context, far *slog.Logger) error {
		if far.Enabled(context.Background(), slog.LevelDebug) {
			t.Error("debug is enabled")
		}
		far.Debug("not seen")
		far.With("a", 1).WithGroup("g").Info("seen", "b", 2*time.Second, "err", fs.ErrNotExist)
		return nil
	})
	got := out.String()
	for _, want := range []string{"level=INFO", "msg=seen", "a=1", "g.b=2s", `g.err="file does not exist"`, "live_test.go:"} {
		if !strings.Contains(got, want) {
			t.Errorf("got %s without %s", got, want)
		}
	}
	if err != nil || strings.Contains(got, "not seen") {
		t.Errorf("%v\n%s", err, got)
	}
}

// A record is after its trip what it was before.
func TestRecordsSurvive(t *testing.T) {
	var results []map[string]any
	collect := slog.NewJSONHandler(writerFunc(func(p []byte) (int, error) {
		results = append(results, parse(t, p))
		return len(p), nil
	}), nil)
	h := NewLogHandler(slog.LevelDebug, func(ctx context.Context, record []byte) error {
		return HandleRecord(ctx, collect, record)
	})
	if err := slogtest.TestHandler(h, func() []map[string]any {
		for _, r := range results {
			delete(r, slog.SourceKey)
		}
		return results
	}); err != nil {
		t.Error(err)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func FuzzRecord(f *testing.F) {
	r := slog.NewRecord(time.Now(), slog.LevelWarn, "message", 0)
	f.Add(encodeRecord(r, []slog.Attr{slog.Int("a", 1), slog.Group("g", slog.String("b", "c"), slog.Time("t", time.Now()))}))
	f.Fuzz(func(_ *testing.T, record []byte) {
		_ = HandleRecord(context.Background(), slog.NewTextHandler(io.Discard, nil), record)
	})
}

func TestFS(t *testing.T) {
	fsys := fstest.MapFS{
		"a.txt": {Data: []byte("text of a"), Mode: 0o640, ModTime: time.Unix(1000, 0)}, "dir/b": {Data: bytes.Repeat([]byte("b"), 200_000)},
		"dir/sub/c": {}, "empty": {Mode: fs.ModeDir | 0o755},
	}
	if err := call(t, fs.FS(fsys), func(_ context.Context, far fs.FS) error {
		return fstest.TestFS(far, "a.txt", "dir/b", "dir/sub/c", "empty")
	}); err != nil {
		t.Error(err)
	}
	err := call(t, fs.FS(fsys), func(_ context.Context, far fs.FS) error {
		_, err := fs.ReadFile(far, "nothing")
		return err
	})
	var p *fs.PathError
	if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &p) {
		t.Errorf("got %v", err)
	}
}

// Who calls back without end is refused, and the call goes on.
func TestTooManyCallbacks(t *testing.T) {
	release := make(chan struct{})
	near, far, _ := connect(t, Options{})
	err := callOn(t, near, far, func() error { <-release; return nil }, func(_ context.Context, back func() error) error {
		var callers sync.WaitGroup
		var refused sync.Map
		for n := range maxWaiting + 10 {
			callers.Go(func() {
				if err := back(); err != nil {
					refused.Store(n, err)
				}
			})
		}
		for ctx := within(t); ctx.Err() == nil; time.Sleep(time.Millisecond) {
			n := 0
			refused.Range(func(_, _ any) bool { n++; return true })
			if n == 10 {
				break
			}
		}
		close(release)
		callers.Wait()
		n := 0
		refused.Range(func(_, _ any) bool { n++; return true })
		if n != 10 {
			t.Errorf("%d were refused", n)
		}
		return back()
	})
	if err != nil {
		t.Error(err)
	}
}
