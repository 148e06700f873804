//go:build linux

package serve

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

func asDelivery(err error, e **box.DeliveryError) bool { return errors.As(err, e) }

// connect opens a connection and says nothing.
func connect(t *testing.T, srv *server) *net.UnixConn {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: srv.path, Net: "unix"})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// answer is all that a server says.
func answer(t *testing.T, conn *net.UnixConn) string {
	t.Helper()
	must(t, conn.SetReadDeadline(time.Now().Add(3*time.Minute)))
	said, err := io.ReadAll(conn)
	if err != nil && !errors.Is(err, syscall.ECONNRESET) {
		t.Fatalf("%q, %v", said, err)
	}
	return string(said)
}

// TestIdleConnections: a thousand that say nothing keep nobody out, and are closed in time.
func TestIdleConnections(t *testing.T) {
	const many = 1000
	srv := serve(t, settings{Options: delivery.ServeOptions{Connections: many + 1, Patience: 2 * time.Second}})
	idle := make([]*net.UnixConn, many)
	for i := range idle {
		idle[i] = connect(t, srv)
	}
	_, err := whoami.On(delivery.Once{Via: srv.via()})()
	must(t, err)
	for _, conn := range idle {
		if said := answer(t, conn); !strings.HasPrefix(said, "refused ") {
			t.Fatalf("an idle connection was told %q", said)
		}
	}
	srv.Term(t)
}

// TestBusy: beyond the limit, callers are told to come later, and later there is room.
func TestBusy(t *testing.T) {
	srv := serve(t, settings{Options: delivery.ServeOptions{Connections: 1}})
	first := open(t, srv.via())
	_, err := whoami.On(delivery.Once{Via: srv.via()})()
	refused(t, err, "busy: 1 connections are open", transport.ReasonRefused)
	must(t, first.Close())
	callsAgain(t, srv)
}

// callsAgain wants a call to pass, as soon as the server has seen that others are gone.
func callsAgain(t *testing.T, srv *server) {
	t.Helper()
	for deadline := time.Now().Add(tooLong); ; time.Sleep(5 * time.Millisecond) {
		_, err := whoami.On(delivery.Once{Via: srv.via()})()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

// TestNoDescriptors: a server that has none left serves again when it has.
func TestNoDescriptors(t *testing.T) {
	srv := serve(t, settings{Files: 32, Options: delivery.ServeOptions{Patience: time.Minute}})
	idle := make([]*net.UnixConn, 64)
	for i := range idle {
		idle[i] = connect(t, srv)
	}
	srv.Wait(t, "cannot take connections")
	for _, conn := range idle {
		conn.Close()
	}
	callsAgain(t, srv)
	srv.Term(t)
}

// TestHostileOpenings: whatever a caller says first, it gets a refusal, and the server keeps nothing of it.
func TestHostileOpenings(t *testing.T) {
	srv := serve(t, settings{Options: delivery.ServeOptions{Patience: 300 * time.Millisecond}})
	_, err := whoami.On(delivery.Once{Via: srv.via()})()
	must(t, err)
	before := descriptors(t, srv)
	pipe, _, err := os.Pipe()
	must(t, err)
	defer pipe.Close()
	file, err := os.Open("/etc/passwd")
	must(t, err)
	defer file.Close()
	p, f := int(pipe.Fd()), int(file.Fd())
	for _, c := range []struct {
		name, bytes string
		fds         []int
		want        string
	}{
		{"no descriptors", "1\n", nil, "0 descriptors"},
		{"another version", "2\n", []int{p, p, p}, "does not begin as a connector does"},
		{"two descriptors", "1\n", []int{p, p}, "2 descriptors"},
		{"a file", "1\n", []int{p, f, p}, "descriptor 1 is neither a pipe nor a unix socket"},
		{"many descriptors", "1\n", []int{p, p, p, p, p, p, p, p}, "refused"},
		{"no names", "1", []int{p, p, p}, "names of functions"},
		{"bad names", "1who am i\n", []int{p, p, p}, "refused"},
		{"endless names", "1" + strings.Repeat("x", 1<<18), []int{p, p, p}, "names of functions"},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", nil, "0 descriptors"},
	} {
		conn := connect(t, srv)
		_, _, err := conn.WriteMsgUnix([]byte(c.bytes[:1]), syscall.UnixRights(c.fds...), nil)
		must(t, err)
		_ = conn.SetWriteDeadline(time.Now().Add(tooLong))
		_, _ = io.WriteString(conn, c.bytes[1:])
		if said := answer(t, conn); !strings.HasPrefix(said, "refused ") || !strings.Contains(said, c.want) {
			t.Errorf("%s: told %q, want %q", c.name, said, c.want)
		}
		conn.Close()
	}
	_, err = whoami.On(delivery.Once{Via: srv.via()})()
	must(t, err)
	for deadline := time.Now().Add(tooLong); descriptors(t, srv) > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server has %d descriptors, before it had %d", descriptors(t, srv), before)
		}
	}
}

func descriptors(t *testing.T, srv *server) int {
	t.Helper()
	names, err := os.ReadDir(filepath.Join("/proc", itoa(srv.Cmd.Process.Pid), "fd"))
	must(t, err)
	return len(names)
}

// TestAHostileServer: what is there instead of a server is believed nothing but an exit code, and prints no control
// characters.
func TestAHostileServer(t *testing.T) {
	for _, c := range []struct{ name, says, want string }{
		{"nothing", "", "the server is gone"},
		{"nonsense", "hello\n", "the server said"},
		{"endless", strings.Repeat("x", 1<<20), "the server is gone"},
		{"colours", "refused \x1b[31mred\a\n", "refused: ?[31mred?"},
		{"a start without a worker", "started 1\n", "the server is gone"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := openDir(t)
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			must(t, err)
			served := make(chan struct{})
			go func() {
				defer close(served)
				conn, err := l.AcceptUnix()
				if err != nil {
					return
				}
				defer conn.Close()
				if r, err := handover.Receive(conn); err == nil {
					r.Close()
				}
				_, _ = io.WriteString(conn, c.says)
			}()
			_, err = whoami.On(delivery.Once{Via: transport.Socket{Path: path}})()
			var e *box.TransportError
			if !errors.As(err, &e) || !strings.Contains(e.Stderr, c.want) {
				t.Errorf("%+v; want %q", err, c.want)
			}
			_ = l.Close()
			<-served
		})
	}
}
