package handover

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestFarArgv: what a connector is told reads back, whatever is left out.
func TestFarArgv(t *testing.T) {
	for _, c := range []struct {
		far   Far
		names string
	}{
		{Far{Address: "web1:7413", Cert: "/c", Key: "/k", CA: "/a"}, ""},
		{Far{Address: "[::1]:7413", Cert: "/c", Key: "/k", Pin: "sha256:x", Name: "web1"}, "a,b"},
		{Far{Address: "web1:1", Cert: "/c", Key: "/k", CA: "/a"}, "a"},
		{Far{Address: "web1:1", Cert: "/c", Key: "/k", CA: "/a", CRL: "/l"}, ""},
	} {
		argv := FarArgv("/opt/app", c.far, c.names)
		far, names, ok := farWords(argv)
		if !ok || far != c.far || names != c.names || !Asked(argv) {
			t.Errorf("%q reads back as %+v, %q, %t", argv, far, names, ok)
		}
	}
	for _, argv := range [][]string{
		{"/opt/app", Verb}, {"/opt/app", Verb, "/run/a.sock"},
		append([]string{"/opt/app", Verb, farMark + "x"}, slices.Repeat([]string{"x"}, 8)...),
	} {
		if _, _, ok := farWords(argv); ok {
			t.Errorf("%q is taken for a connector to TCP", argv)
		}
	}
}

// TestNoTLS: a program that does not import transport/mtls says so, and connects to nobody.
func TestNoTLS(t *testing.T) {
	code, err := run(FarArgv("/opt/app", Far{Address: "127.0.0.1:1", Cert: "/c", Key: "/k", CA: "/a"}, ""))
	if code != 78 || err == nil || !strings.Contains(err.Error(), "import transport/mtls") {
		t.Errorf("%d, %v", code, err)
	}
}

// A slow worker takes nothing before it is told to.
type slow struct {
	begin chan struct{}
	mu    sync.Mutex
	got   bytes.Buffer
	once  sync.Once
	end   chan struct{} // closed by Close
}

func (s *slow) Write(p []byte) (int, error) {
	select {
	case <-s.begin:
	case <-s.end:
		return 0, errors.New("closed")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Write(p)
}

func (s *slow) Close() error {
	s.once.Do(func() { close(s.end) })
	return nil
}

// TestStdin: all of it arrives, in order, through a worker that takes its time, and no more is under way than the window.
func TestStdin(t *testing.T) {
	near, far := net.Pipe()
	worker := &slow{begin: make(chan struct{}), end: make(chan struct{})}
	taken := make(chan error, 1)
	go func() { taken <- NewLine(far).TakeIn(worker) }()
	sent := bytes.Repeat([]byte("0123456789abcdef"), window/8) // twice the window
	l, c := NewLine(near), &credit{left: window}
	c.more.L = &c.mu
	var work sync.WaitGroup
	work.Go(func() {
		buf := make([]byte, 16)
		for {
			kind, payload, err := l.read(buf)
			if err != nil {
				return
			}
			if kind != recordCredit || len(payload) != 4 {
				t.Errorf("the server sends %q", kind)
			}
			c.add(int(payload[0])<<24 | int(payload[1])<<16 | int(payload[2])<<8 | int(payload[3]))
		}
	})
	full := make(chan struct{})
	work.Go(func() {
		for rest := sent; len(rest) > 0; {
			if len(sent)-len(rest) == window {
				close(full)
			}
			n := min(c.wait(maxRecord), len(rest))
			c.add(-n)
			if err := l.write(recordIn, rest[:n]); err != nil {
				t.Error(err)
				return
			}
			rest = rest[n:]
		}
		if err := l.write(recordIn, nil); err != nil {
			t.Error(err)
		}
	})
	<-full // the worker has taken nothing, and the server reads on
	close(worker.begin)
	<-worker.end
	worker.mu.Lock()
	if !bytes.Equal(worker.got.Bytes(), sent) {
		t.Errorf("%d bytes arrived of %d", worker.got.Len(), len(sent))
	}
	worker.mu.Unlock()
	near.Close()
	if err := <-taken; err != nil && err != io.EOF {
		t.Error(err)
	}
	work.Wait()
}

// TestStuckWorker: the end of a connection is noticed though the worker takes nothing.
func TestStuckWorker(t *testing.T) {
	near, far := net.Pipe()
	worker := &slow{begin: make(chan struct{}), end: make(chan struct{})}
	taken := make(chan error, 1)
	go func() { taken <- NewLine(far).TakeIn(worker) }()
	if err := NewLine(near).write(recordIn, []byte("x")); err != nil {
		t.Fatal(err)
	}
	near.Close()
	select {
	case <-taken:
	case <-time.After(30 * time.Second):
		t.Fatal("it is not noticed")
	}
}

// FuzzLine: whatever a caller sends, the server takes no more than it has room for, and ends.
func FuzzLine(f *testing.F) {
	f.Add([]byte("n\x00\x00\x02" + "1a" + "i\x00\x00\x01x" + "i\x00\x00\x00"))
	f.Add([]byte("n\x00\x00\x011i\x00\xff\xff"))
	f.Add([]byte("GET / HTTP/1.1\r\n\r\n"))
	f.Add([]byte("i\x00\x00\x01x"))
	f.Fuzz(func(t *testing.T, said []byte) {
		near, far := net.Pipe()
		var work sync.WaitGroup
		work.Go(func() { _, _ = io.Copy(io.Discard, near) })
		work.Go(func() {
			_, _ = near.Write(said)
			near.Close()
		})
		l := NewLine(far)
		names, err := l.Names()
		if err == nil && len(strings.Join(names, ",")) > maxNames {
			t.Errorf("%d bytes of names", len(strings.Join(names, ",")))
		}
		worker := &slow{begin: make(chan struct{}), end: make(chan struct{})}
		close(worker.begin)
		if err == nil {
			_ = l.TakeIn(worker)
		}
		if worker.got.Len() > len(said) {
			t.Errorf("%d bytes arrived of %d", worker.got.Len(), len(said))
		}
		far.Close()
		work.Wait()
	})
}
