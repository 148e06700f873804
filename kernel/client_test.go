package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/internal/trampoline"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
)

// TestMain makes the test binary what starts processes for a kernel, too.
func TestMain(m *testing.M) {
	if trampoline.Asked(os.Args) {
		trampoline.Main(os.Args)
	}
	goleak.VerifyTestMain(m)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestPA35to39Values: what papa's client does with values, and any bytes in them.
func TestPA35to39Values(t *testing.T) {
	ctx := t.Context()
	c := kerneltest.Open(t)
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	for _, data := range []string{"plain", "two words", `{5}`, `"quoted"`, "line\nfeed\n", `ends with \`, string(every), strings.Repeat("x\n", 1<<20)} {
		must(t, c.Set(ctx, "aack", data))
		got, err := c.Get(ctx, "aack")
		must(t, err)
		if got != data {
			t.Errorf("%d bytes %.40q came back as %d bytes %.40q", len(data), data, len(got), got)
		}
		list, err := c.Values(ctx, "aa*")
		must(t, err)
		if len(list) != 1 || list[0].Data != data || !list[0].Expires.IsZero() {
			t.Errorf("%.40q is listed as %.80v", data, list)
		}
	}
	must(t, c.Set(ctx, "aack", ""))
	if got, err := c.Get(ctx, "aack"); got != "" || err != nil {
		t.Errorf("a value that was cleared: %q, %v", got, err)
	}
	must(t, c.SetAs(ctx, "lease", "mine", kernel.Change{TTL: time.Hour, Sync: true}))
	if list, err := c.Values(ctx); err != nil || len(list) != 1 || time.Until(list[0].Expires) < 50*time.Minute {
		t.Errorf("a value with an end: %v, %v", list, err)
	}
	if won, err := c.CompareAndSet(ctx, "lease", "other", "x", kernel.Change{}); won || err != nil {
		t.Errorf("another one's: %v, %v", won, err)
	}
	if won, err := c.CompareAndSet(ctx, "lease", "mine", "again mine", kernel.Change{}); !won || err != nil {
		t.Errorf("mine: %v, %v", won, err)
	}
	if err := c.RemoveValues(ctx); !errors.Is(err, kernel.ErrUsage) || !strings.Contains(err.Error(), "You cannot remove all variables") {
		t.Errorf("remove without names: %v", err)
	}
	if err := c.RemoveValues(ctx, "*"); !errors.Is(err, kernel.ErrUsage) {
		t.Errorf("remove all: %v", err)
	}
	must(t, c.RemoveValues(ctx, "nosuch", "lea*"))
	if list, err := c.Values(ctx); err != nil || len(list) != 0 {
		t.Errorf("left: %v, %v", list, err)
	}
	if err := c.Set(ctx, "*", "x"); err == nil || !strings.Contains(err.Error(), "Value requires a name") {
		t.Errorf("a star: %v", err)
	}
}

// TestPA25to34Sockets: papa's documented socket, idempotent, and connections that wait in the backlog.
func TestPA25to34Sockets(t *testing.T) {
	ctx := t.Context()
	c := kerneltest.Open(t)
	s, err := c.MakeSocket(ctx, "uwsgi", kernel.SocketSpec{})
	must(t, err)
	want := kernel.Socket{Name: "uwsgi", Fileno: s.Fileno, SocketSpec: kernel.SocketSpec{Family: "inet", Type: "stream", Backlog: 5, Host: "127.0.0.1", Port: s.Port}}
	if d := cmp.Diff(want, s); d != "" || s.Port == 0 || s.Fileno <= 2 {
		t.Errorf("%+v (-want +got)\n%s", s, d)
	}
	again, err := c.MakeSocket(ctx, "uwsgi", kernel.SocketSpec{})
	must(t, err)
	if d := cmp.Diff(s, again); d != "" {
		t.Errorf("the same again (-first +second)\n%s", d)
	}
	if _, err := c.MakeSocket(ctx, "uwsgi", kernel.SocketSpec{Backlog: 7}); !errors.Is(err, kernel.ErrExists) ||
		!strings.Contains(err.Error(), "Socket for uwsgi has already been created - family=inet") {
		t.Errorf("another one with the same name: %v", err)
	}
	conn, err := net.Dial("tcp", net.JoinHostPort(s.Host, fmt.Sprint(s.Port)))
	must(t, err) // nobody accepts, and it waits
	conn.Close()
	list, err := c.Sockets(ctx, fmt.Sprint(s.Fileno))
	must(t, err)
	if d := cmp.Diff([]kernel.Socket{s}, list); d != "" {
		t.Errorf("PA-15: by number (-want +got)\n%s", d)
	}
	if _, err := c.MakeSocket(ctx, "other", kernel.SocketSpec{Port: s.Port}); !errors.Is(err, kernel.ErrFailed) ||
		!strings.Contains(err.Error(), fmt.Sprintf("Bind failed on 127.0.0.1:%d: address already in use", s.Port)) {
		t.Errorf("PA-34: a port that is taken: %v", err)
	}
	if list, err := c.Sockets(ctx, "nosuch", "n*"); err != nil || len(list) != 0 {
		t.Errorf("PA-13: names that are not there: %v, %v", list, err)
	}
	if err := c.RemoveSockets(ctx); !errors.Is(err, kernel.ErrUsage) {
		t.Errorf("PA-14: remove without names: %v", err)
	}
	if err := c.RemoveSockets(ctx, "uwsgi", "nosuch"); !errors.Is(err, kernel.ErrNotFound) || !strings.Contains(err.Error(), "nosuch not found") {
		t.Errorf("PA-13: remove of a name that is not there: %v", err)
	}
	must(t, c.RemoveSockets(ctx, "nosuch*"))
	must(t, c.RemoveSockets(ctx, fmt.Sprint(s.Fileno)))
	if conn, err := net.Dial("tcp", net.JoinHostPort(s.Host, fmt.Sprint(s.Port))); err == nil {
		conn.Close()
		t.Error("PA-32: somebody still listens")
	}
}

// TestPA07Concurrent: many use one client, and each gets its own reply.
func TestPA07Concurrent(t *testing.T) {
	ctx := t.Context()
	c := kerneltest.Open(t)
	var work sync.WaitGroup
	for i := range 64 {
		work.Go(func() {
			name := fmt.Sprint("v", i)
			for n := range 50 {
				data := fmt.Sprint(i, " ", n)
				if err := c.Set(ctx, name, data); err != nil {
					t.Error(err)
				}
				if got, err := c.Get(ctx, name); got != data || err != nil {
					t.Errorf("%s is %q, %v", name, got, err)
				}
			}
		})
	}
	work.Wait()
}

// TestPA06Timeout: a kernel that accepts but says nothing, and none at all.
func TestPA06Timeout(t *testing.T) {
	dir, err := os.MkdirTemp("", "kernel")
	must(t, err)
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	_, err = kernel.Open(t.Context(), kernel.Options{Socket: path})
	if !errors.Is(err, kernel.ErrUnavailable) || !strings.Contains(err.Error(), "no kernel runs there") {
		t.Errorf("nobody there: %v", err)
	}
	l, err := net.Listen("unix", path)
	must(t, err)
	defer l.Close()
	_, err = kernel.Open(t.Context(), kernel.Options{Socket: path, Timeout: 50 * time.Millisecond})
	if err == nil || !strings.Contains(err.Error(), "could not connect to the kernel in 50ms") {
		t.Errorf("a silent one: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err = kernel.Open(ctx, kernel.Options{Socket: path}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if _, err = kernel.Open(t.Context(), kernel.Options{Socket: "relative"}); err == nil || !strings.Contains(err.Error(), "Path to Unix socket must be absolute") {
		t.Errorf("PA-05: %v", err)
	}
	if _, err = kernel.Open(t.Context(), kernel.Options{Socket: "/" + strings.Repeat("x", 107)}); err == nil || !strings.Contains(err.Error(), "at most 107") {
		t.Errorf("a long path: %v", err)
	}
}

// TestPA07Closed: a closed client says so, and its kernel goes on.
func TestPA07Closed(t *testing.T) {
	o := kerneltest.Start(t)
	c, err := kernel.Open(t.Context(), o)
	must(t, err)
	must(t, c.Close())
	if _, err := c.Get(t.Context(), "a"); !errors.Is(err, kernel.ErrClosed) {
		t.Errorf("%v", err)
	}
	c, err = kernel.Open(t.Context(), o)
	must(t, err)
	must(t, c.Close())
}

// TestHostileServer: who answers with something else than the protocol is told from a kernel.
func TestHostileServer(t *testing.T) {
	const hello = "deliveryboy kernel 1. Type \"help\" for commands.\n> "
	for _, c := range []struct{ says, want string }{
		{"HTTP/1.1 400 Bad Request\r\n", "is no kernel"},
		{"deliveryboy kernel 2. Hello\n> ", `speaks version "2"`},
		{kernel.Denial, "permission denied"},
		{strings.Repeat("x", 1<<20), "is no kernel"},
		{hello + "- ok 99999999999\n", "may have"},
		{hello + "- ok -1\n", "may have"},
		{hello + "- so 1\nx", "is no reply"},
		{hello + "- ok\n", "may have"},
		{hello + strings.Repeat("y", 1000) + "\n", "more than 256 bytes"},
	} {
		dir, err := os.MkdirTemp("", "kernel")
		must(t, err)
		path := filepath.Join(dir, "s")
		l, err := net.Listen("unix", path)
		must(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for {
				conn, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = conn.Write([]byte(c.says))
				_, _ = conn.Read(make([]byte, 100))
				conn.Close()
			}
		}()
		_, err = kernel.Open(t.Context(), kernel.Options{Socket: path, Timeout: time.Second})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%.60q: %v", c.says, err)
		}
		l.Close()
		<-done
		os.RemoveAll(dir)
	}
}

// TestServerDiesAtFirst: one that ends before it has answered at all, with what it had to read or without, is one to come
// back to.
func TestServerDiesAtFirst(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "k.sock")
	l, err := net.Listen("unix", socket)
	must(t, err)
	var work sync.WaitGroup
	defer work.Wait()
	defer l.Close()
	work.Go(func() {
		for i := range 3 {
			conn, err := l.Accept()
			if err != nil {
				return // nobody came back
			}
			mode := make([]byte, len("mode machine\n"))
			if _, err := conn.Write([]byte(kernel.Banner + kernel.Prompt)); err != nil {
				t.Error(err)
			}
			read := len(mode)
			if i == 0 { // what it does not read makes it a reset
				read = 1
			}
			if _, err := io.ReadFull(conn, mode[:read]); err != nil {
				t.Error(err)
			}
			if i == 2 {
				_, _ = conn.Write([]byte("- ok 0\n"))
				_, _ = conn.Read(mode)
			}
			conn.Close()
		}
	})
	c, err := kernel.Open(t.Context(), kernel.Options{Socket: socket})
	must(t, err)
	_ = c.Close()
}

// TestPA11InProcess: tests have kernels of their own, which know nothing of each other.
func TestPA11InProcess(t *testing.T) {
	ctx := t.Context()
	one, other := kerneltest.Open(t), kerneltest.Open(t)
	must(t, one.Set(ctx, "a", "one"))
	if got, err := other.Get(ctx, "a"); got != "" || err != nil {
		t.Errorf("the other one has %q, %v", got, err)
	}
	facts, err := one.Status(ctx)
	if facts["pid"] != fmt.Sprint(os.Getpid()) || facts["values"] != "1" || err != nil {
		t.Errorf("its status is %v, %v", facts, err)
	}
	if text, err := one.Help(ctx, "set"); !strings.HasPrefix(text, "set [ttl=TIME]") || err != nil {
		t.Errorf("its help is %q, %v", text, err)
	}
	if _, err := one.Do(ctx, "no", "such"); !errors.Is(err, kernel.ErrUsage) { // PA-09
		t.Errorf("an error is %v", err)
	}
}

// TestPA27Raw: a raw socket is kept where the system lets the kernel have one, and is the same again.
func TestPA27Raw(t *testing.T) {
	c := kerneltest.Open(t)
	spec := kernel.SocketSpec{Type: "raw", Protocol: 253}
	s, err := c.MakeSocket(t.Context(), "r", spec)
	if os.Geteuid() != 0 {
		if err == nil || !strings.Contains(err.Error(), "not permitted") {
			t.Errorf("without the right: %v", err)
		}
		return
	}
	must(t, err)
	again, err := c.MakeSocket(t.Context(), "r", spec)
	must(t, err)
	if s.Protocol != 253 || s.Type != "raw" || s.Port != 0 || again != s {
		t.Errorf("%+v, and again %+v", s, again)
	}
	if _, err := c.MakeSocket(t.Context(), "r", kernel.SocketSpec{Type: "raw", Protocol: 254}); !errors.Is(err, kernel.ErrExists) {
		t.Errorf("another protocol: %v", err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	if _, err := c.MakeProcess(t.Context(), "p", kernel.ProcessSpec{Args: []string{"/bin/echo", "$(socket.r.port)"}}); !errors.Is(err, kernel.ErrUsage) {
		t.Errorf("its port: %v", err)
	}
}
