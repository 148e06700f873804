//go:build linux

package serve

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
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
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/mtls"
	far "github.com/seed354a1416/deliveryboy/worker/server"
)

// TestTLSConformance: a worker behind TCP does all that a worker does.
func TestTLSConformance(t *testing.T) {
	srv := serveTLS(t, newPKI(t), settings{})
	t.Run("once", func(t *testing.T) {
		couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: srv.via()} })
	})
	t.Run("session", func(t *testing.T) {
		couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, srv.via()) })
	})
	t.Run("session behind ssh", func(t *testing.T) {
		st.NeedSSH(t)
		via := transport.Chain{sshHop(), srv.via()}
		if testing.Short() {
			_, err := whoami.On(open(t, via))()
			must(t, err)
			t.Skip("one call passed; SERVE_FULL=1 runs the suite")
		}
		couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, via) })
	})
	srv.Term(t)
	nothingLeft(t, "a whole suite")
}

// TestTLSRefusals: each way in which two sides may not know each other has its reason, and runs nothing.
func TestTLSRefusals(t *testing.T) {
	p, q := newPKI(t), newPKI(t)
	list := filepath.Join(p.dir, "list")
	must(t, os.WriteFile(list, []byte("cn:deployer\n"), 0o600))
	srv := serveTLS(t, p, settings{})
	listed := p.server
	listed.NamesFile = list
	lists := serveTLS(t, p, settings{Guard: &listed})
	late := p.server
	late.Cert, late.Key = p.leaf("late", func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) })
	lates := serveTLS(t, p, settings{Guard: &late})
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		if conn, err := plain.Accept(); err == nil {
			_, _ = io.WriteString(conn, "220 mail.example\r\n")
			conn.Close()
		}
	}()
	defer func() { _ = plain.Close(); <-answered }()
	readable := filepath.Join(p.dir, "readable.key")
	text, err := os.ReadFile(p.caller.Key)
	must(t, err)
	must(t, os.WriteFile(readable, text, 0o644)) //nolint:gosec // the mistake that is tested
	for _, c := range []struct {
		name   string
		at     *server
		change func(s *transport.Socket)
		text   string
		reason string
		log    string // of the server
	}{
		{"expired server", lates, nil, "the server's certificate: expired", transport.ReasonExpired, "bad certificate"},
		{"server of another authority", srv, func(s *transport.Socket) { s.TLS.CA = q.caller.CA }, "unknown authority", transport.ReasonAuthority, "bad certificate"},
		{"server with another name", srv, func(s *transport.Socket) { s.TLS.Name = "web2.example" }, "another name", transport.ReasonWrongName, "bad certificate"},
		{"server with another key", srv, func(s *transport.Socket) { s.TLS.Pin = "sha256:" + strings.Repeat("A", 43) + "=" }, "another key", transport.ReasonWrongKey, "bad certificate"},
		{"no server", srv, func(s *transport.Socket) { s.Address = "127.0.0.1:1" }, "connection refused", transport.ReasonRefused, ""},
		{"plain text", srv, func(s *transport.Socket) { s.Address = plain.Addr().String() }, "no TLS of ours", transport.ReasonNoTLS, ""},
		{"expired caller", srv, func(s *transport.Socket) { s.TLS.Cert, s.TLS.Key = late.Cert, late.Key },
			"the server refuses this certificate: expired", transport.ReasonExpired, "expired"},
		{"caller of another authority", srv, func(s *transport.Socket) { s.TLS.Cert, s.TLS.Key = q.caller.Cert, q.caller.Key },
			"the server refuses this certificate: unknown authority", transport.ReasonAuthority, "unknown authority"},
		{"a stranger", lists, func(s *transport.Socket) { s.TLS.Cert, s.TLS.Key = p.leaf("stranger") },
			"refused: not on the list", transport.ReasonNotAllowed, "peer.name=cn:stranger"},
		{"a key that others read", srv, func(s *transport.Socket) { s.TLS.Key = readable }, "file cannot be used", transport.ReasonConfig, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			via := c.at.via()
			if c.change != nil {
				c.change(&via)
			}
			_, err := whoami.On(delivery.Once{Via: via})()
			refused(t, err, c.text, c.reason)
			if c.log != "" {
				c.at.Wait(t, "msg=refused", c.log)
			}
		})
	}
	t.Run("removed from the list", func(t *testing.T) {
		_, err := whoami.On(delivery.Once{Via: lists.via()})()
		must(t, err)
		lists.Wait(t, "msg=started", "peer.name=cn:deployer")
		must(t, os.WriteFile(list, []byte("# cn:deployer left\n"), 0o600))
		_, err = whoami.On(delivery.Once{Via: lists.via()})()
		refused(t, err, "refused: not on the list", transport.ReasonNotAllowed)
	})
	t.Run("renewed", func(t *testing.T) {
		must(t, os.Rename(p.server.Cert, late.Cert))
		must(t, os.Rename(p.server.Key, late.Key))
		_, err := whoami.On(delivery.Once{Via: lates.via()})()
		must(t, err)
	})
}

// TestTLSOnly: narrowing holds over TCP too, and without certificates nothing listens.
func TestTLSOnly(t *testing.T) {
	srv := serveTLS(t, newPKI(t), settings{Options: delivery.ServeOptions{Only: []string{"whoami"}}})
	_, err := whoami.On(delivery.Once{Via: srv.via()})()
	must(t, err)
	_, err = other.On(delivery.Once{Via: srv.via()})()
	refused(t, err, `function "other" is not served here`, transport.ReasonNotAllowed)
	for _, o := range []delivery.ServeOptions{{Address: "127.0.0.1:0"}, {Address: "127.0.0.1:0", Guard: mtls.Server{}}} {
		if err := delivery.Serve(t.Context(), o); !errors.Is(err, delivery.ErrOpen) {
			t.Errorf("without certificates: %v", err)
		}
	}
	p := newPKI(t)
	handled := delivery.ServeOptions{Address: "127.0.0.1:0", Guard: p.server}
	handled.Handler = func(context.Context, far.Connection) error { return nil }
	if err := delivery.Serve(t.Context(), handled); err == nil || !strings.Contains(err.Error(), "for a unix socket") {
		t.Errorf("with a handler: %v", err)
	}
}

// dialTLS makes a connection that is let in.
func dialTLS(t *testing.T, srv *server) *tls.Conn {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(srv.tls.Cert, srv.tls.Key)
	must(t, err)
	ca, err := os.ReadFile(srv.tls.CA)
	must(t, err)
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	conn, err := tls.Dial("tcp", srv.path, &tls.Config{ //nolint:noctx // of this machine
		Certificates: []tls.Certificate{pair}, RootCAs: pool, MinVersion: tls.VersionTLS13, NextProtos: []string{"deliveryboy/1"},
	})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(3*time.Minute)))
	return conn
}

func record(kind byte, payload string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(kind)<<24|uint32(len(payload)))) + payload
}

// TestTLSIdle: a thousand connections that say nothing keep nobody out, without the limit of connections being raised.
func TestTLSIdle(t *testing.T) {
	srv := serveTLS(t, newPKI(t), settings{Options: delivery.ServeOptions{Connections: 2, Patience: 10 * time.Minute}})
	idle := make([]net.Conn, 1000)
	for i := range idle {
		conn, err := net.Dial("tcp", srv.path) //nolint:noctx // of this machine
		must(t, err)
		defer conn.Close()
		idle[i] = conn
	}
	_, err := whoami.On(delivery.Once{Via: srv.via()})()
	must(t, err)
	must(t, idle[0].SetReadDeadline(time.Now().Add(3*time.Minute)))
	if n, err := idle[0].Read(make([]byte, 1)); n > 0 || errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the oldest is still there: %v", err)
	}
	callsAgain(t, srv)
}

// TestTLSBusy: of those who are let in there are no more than the limit.
func TestTLSBusy(t *testing.T) {
	srv := serveTLS(t, newPKI(t), settings{Options: delivery.ServeOptions{Connections: 1}})
	first := open(t, srv.via())
	_, err := whoami.On(delivery.Once{Via: srv.via()})()
	refused(t, err, "busy: 1 connections are open", transport.ReasonRefused)
	must(t, first.Close())
	callsAgain(t, srv)
}

// TestTLSHostile: whoever is let in and then says what does not belong there gets no worker, or loses it, and the server
// keeps nothing of it.
func TestTLSHostile(t *testing.T) {
	srv := serveTLS(t, newPKI(t), settings{Options: delivery.ServeOptions{Patience: time.Second}})
	_, err := whoami.On(delivery.Once{Via: srv.via()})()
	must(t, err)
	callsAgain(t, srv)
	before := descriptors(t, srv)
	for _, c := range []struct{ name, says, want string }{
		{"nothing", "", "refused "},
		{"HTTP", "GET / HTTP/1.1\r\n\r\n", "refused "},
		{"another version", record('n', "2"), "refused "},
		{"another record", record('i', "x"), "refused "},
		{"a long record", "n\xff\xff\xff" + strings.Repeat("x", 1<<18), "refused "},
		{"bad names", record('n', "1who am i"), "refused "},
		{"more of stdin than there is room for", record('n', "1") + strings.Repeat(record('i', strings.Repeat("x", 16000)), 64), "started "},
		{"a record of the server's", record('n', "1") + record('o', "x"), "started "},
		{"a long record of stdin", record('n', "1") + "i\x00\xff\xff", "started "},
		{"what follows the end of stdin", record('n', "1") + record('i', "") + record('i', "x"), "started "},
	} {
		t.Run(c.name, func(t *testing.T) {
			conn := dialTLS(t, srv)
			_, _ = io.WriteString(conn, c.says)
			said, err := io.ReadAll(conn)
			var op *net.OpError
			if err != nil && !errors.As(err, &op) && !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("%v", err)
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Error("the server keeps it")
			}
			if !bytes.Contains(said, []byte("welcome cn:deployer")) || !bytes.Contains(said, []byte(c.want)) {
				t.Errorf("told %q; want %q", said, c.want)
			}
		})
	}
	nothingLeft(t, "hostile callers")
	for deadline := time.Now().Add(tooLong); descriptors(t, srv) > before; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the server has %d descriptors, before it had %d", descriptors(t, srv), before)
		}
	}
}

// TestTLSKeepsTheKey: the worker has pipes, and neither the connection nor anything of a key.
func TestTLSKeepsTheKey(t *testing.T) {
	st.NeedRoot(t)
	srv := serveTLS(t, newPKI(t), settings{})
	who, err := whoami.On(open(t, srv.via()))()
	must(t, err)
	for _, pid := range []int{who.PID, who.Parent} {
		fds, err := st.Root.ReadDir("/proc/" + itoa(pid) + "/fd")
		must(t, err)
		pipes := 0
		for _, fd := range fds {
			to, err := st.Root.ReadLink("/proc/" + itoa(pid) + "/fd/" + fd)
			if err != nil {
				continue // closed meanwhile
			}
			if strings.HasPrefix(to, "pipe:") {
				pipes++
			}
			if strings.Contains(to, ".key") || strings.Contains(to, ".pem") {
				t.Errorf("process %d has %s open", pid, to)
			}
		}
		if inherits(t, srv.Cmd.Process.Pid, pid) {
			t.Errorf("process %d has a socket of the server's", pid)
		}
		if pipes == 0 { // a guardian lets go of what is the worker's
			t.Errorf("process %d has no pipe", pid)
		}
	}
}

// inherits reports whether two processes have a socket in common.
func inherits(t *testing.T, a, b int) bool {
	t.Helper()
	sockets := func(pid int) map[string]bool {
		found := map[string]bool{}
		fds, err := st.Root.ReadDir("/proc/" + itoa(pid) + "/fd")
		must(t, err)
		for _, fd := range fds {
			if to, err := st.Root.ReadLink("/proc/" + itoa(pid) + "/fd/" + fd); err == nil && strings.HasPrefix(to, "socket:") {
				found[to] = true
			}
		}
		return found
	}
	theirs := sockets(b)
	for s := range sockets(a) {
		if theirs[s] {
			return true
		}
	}
	return false
}

// TestTLSSilence: where a connection is there and nothing passes, both sides notice, and the worker ends.
func TestTLSSilence(t *testing.T) {
	st.NeedRoot(t)
	srv := serveTLS(t, newPKI(t), settings{})
	out := watch("running")
	done := make(chan error, 1)
	s, err := delivery.Open(limited(t), srv.via(), session.Options{Stdout: out, Heartbeat: 50 * time.Millisecond})
	must(t, err)
	go func() { done <- stubborn.On(s)(limited(t)) }()
	<-out.found
	connector := connectors(t)[0].PID
	must(t, syscall.Kill(connector, syscall.SIGSTOP))
	if err := <-done; err == nil || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the caller: %+v", err)
	}
	srv.Wait(t, "msg=ended", "worker=")
	_ = s.Close() // it is lost
	nothingLeft(t, "silence")
}
