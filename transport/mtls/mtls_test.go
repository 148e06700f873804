package mtls

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// An authority issues certificates into a directory.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	a.cert = &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte("an authority"),
	}
	a.pem, _ = a.issue("ca", a.cert)
	return a
}

// issue makes NAME.pem and NAME.key, and the authority's own if it has none.
func (a *authority) issue(name string, c *x509.Certificate) (cert, key string) {
	a.t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(a.t, err)
	if a.key == nil {
		a.key = k
	}
	der, err := x509.CreateCertificate(rand.Reader, c, a.cert, k.Public(), a.key)
	must(a.t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	must(a.t, err)
	cert, key = filepath.Join(a.dir, name+".pem"), filepath.Join(a.dir, name+".key")
	must(a.t, os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(a.t, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	return cert, key
}

// leaf is a certificate that can be issued.
func leaf(cn string, change ...func(c *x509.Certificate)) *x509.Certificate {
	c := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: cn},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, f := range change {
		f(c)
	}
	return c
}

func expired(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Minute) }
func future(c *x509.Certificate)  { c.NotBefore = time.Now().Add(time.Minute) }

// pinOf is the pin of a certificate's file.
func pinOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	must(t, err)
	block, _ := pem.Decode(text)
	c, err := x509.ParseCertificate(block.Bytes)
	must(t, err)
	return Pin(c)
}

// A verdict is what came of one connection on the server's side.
type verdict struct {
	who string
	err error
}

// admit lets one connection in, and says the outcome to it as a server does.
func admit(t *testing.T, s Server) (address string, verdicts <-chan verdict) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	out := make(chan verdict, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		secure, who, err := s.Admit(ctx, conn)
		if secure != nil && err == nil {
			_, _ = io.WriteString(secure, "in")
			_ = secure.Close()
		} else if secure != nil {
			_, _ = io.WriteString(secure, "no")
			_ = secure.Close()
		}
		out <- verdict{who, err}
	}()
	t.Cleanup(func() { _ = l.Close(); <-done })
	return l.Addr().String(), out
}

// reach dials, and reads what the server says.
func reach(t *testing.T, f handover.Far) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	conn, err := dial(ctx, f)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
	said, err := io.ReadAll(conn)
	if told := heard(err0(err)); told != nil {
		return string(said), told
	}
	return string(said), err
}

func err0(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// TestBothSides: each way in which a certificate may be wrong is an error of its own kind, on the side that finds it, and the
// other side is told.
func TestBothSides(t *testing.T) {
	a, b := newAuthority(t), newAuthority(t)
	webCert, webKey := a.issue("web", leaf("web"))
	meCert, meKey := a.issue("me", leaf("me", func(c *x509.Certificate) { c.DNSNames = []string{"me.example"} }))
	byB, byBKey := b.issue("me", leaf("me"))
	lateCert, lateKey := a.issue("late", leaf("late", expired))
	list := filepath.Join(a.dir, "list")
	must(t, os.WriteFile(list, []byte("# who may\ncn:other\n"), 0o600))
	issued := func(name string, change ...func(c *x509.Certificate)) func() (string, string) {
		return func() (string, string) { return a.issue(name, leaf(name, change...)) }
	}
	for _, c := range []struct {
		name     string
		server   func(s *Server)
		caller   func(f *handover.Far)
		who      string
		serverIs error // what the server finds
		callerIs error // what the caller finds, or is told
		code     int
	}{
		{name: "all is well", who: "dns:me.example"},
		{name: "on the list", server: func(s *Server) { s.Names = []string{"cn:me"} }, who: "cn:me"},
		{name: "on the list by URI", server: func(s *Server) { s.Names = []string{"cn:x", "uri:spiffe://x/me"} },
			caller: func(f *handover.Far) {
				f.Cert, f.Key = issued("uri", func(c *x509.Certificate) { c.URIs = []*url.URL{{Scheme: "spiffe", Host: "x", Path: "/me"}} })()
			}, who: "uri:spiffe://x/me"},
		{name: "keys alone", server: func(s *Server) { s.ClientCA, s.Names = "", []string{pinOf(t, byB)} },
			caller: func(f *handover.Far) { f.Cert, f.Key, f.CA, f.Pin = byB, byBKey, "", pinOf(t, webCert) }, who: pinOf(t, byB)},
		{name: "key and authority", caller: func(f *handover.Far) { f.Pin = pinOf(t, webCert) }, who: "dns:me.example"},

		{name: "not on the list", server: func(s *Server) { s.Names = []string{"cn:other"} }, who: "dns:me.example", serverIs: ErrStranger},
		{name: "a name with a common start", server: func(s *Server) { s.Names = []string{"cn:m", "dns:example"} }, who: "dns:me.example", serverIs: ErrStranger},
		{name: "not in the file", server: func(s *Server) { s.NamesFile = list }, who: "dns:me.example", serverIs: ErrStranger},
		{name: "another key", server: func(s *Server) { s.ClientCA, s.Names = "", []string{pinOf(t, byB)} }, who: "dns:me.example", serverIs: ErrStranger},
		{name: "expired caller", caller: func(f *handover.Far) { f.Cert, f.Key = lateCert, lateKey }, serverIs: ErrExpired, callerIs: ErrExpired, code: 77},
		{name: "expired caller, by its key", server: func(s *Server) { s.ClientCA, s.Names = "", []string{pinOf(t, lateCert)} },
			caller: func(f *handover.Far) { f.Cert, f.Key = lateCert, lateKey },
			who:    "cn:late", serverIs: ErrExpired},
		{name: "caller of another authority", caller: func(f *handover.Far) { f.Cert, f.Key = byB, byBKey }, serverIs: ErrAuthority, callerIs: ErrAuthority, code: 77},
		{name: "caller with a server's certificate", caller: func(f *handover.Far) {
			f.Cert, f.Key = issued("server", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[:1] })()
		}, serverIs: ErrCertificate, callerIs: ErrCertificate, code: 77},

		{name: "expired server", server: func(s *Server) { s.Cert, s.Key = lateCert, lateKey }, serverIs: ErrCertificate, callerIs: ErrExpired, code: 77},
		{name: "server of tomorrow", server: func(s *Server) { s.Cert, s.Key = issued("new", future)() }, serverIs: ErrCertificate, callerIs: ErrExpired, code: 77},
		{name: "expired server, by its key", server: func(s *Server) { s.Cert, s.Key = lateCert, lateKey },
			caller: func(f *handover.Far) { f.CA, f.Pin = "", pinOf(t, lateCert) }, serverIs: ErrCertificate, callerIs: ErrExpired, code: 77},
		{name: "server of another authority", caller: func(f *handover.Far) { f.CA = b.pem }, serverIs: ErrCertificate, callerIs: ErrAuthority, code: 77},
		{name: "server with another name", caller: func(f *handover.Far) { f.Name = "web2.example" }, serverIs: ErrCertificate, callerIs: ErrName, code: 77},
		{name: "server with another name, by its key", caller: func(f *handover.Far) { f.CA, f.Pin, f.Name = "", pinOf(t, webCert), "web2.example" },
			serverIs: ErrCertificate, callerIs: ErrName, code: 77},
		{name: "server with another key", caller: func(f *handover.Far) { f.Pin = pinOf(t, meCert) }, serverIs: ErrCertificate, callerIs: ErrKey, code: 77},
		{name: "server with a caller's certificate", server: func(s *Server) {
			s.Cert, s.Key = issued("caller", func(c *x509.Certificate) { c.ExtKeyUsage = c.ExtKeyUsage[1:] })()
		}, serverIs: ErrCertificate, callerIs: ErrCertificate, code: 77},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := Server{Cert: webCert, Key: webKey, ClientCA: a.pem}
			f := handover.Far{Cert: meCert, Key: meKey, CA: a.pem}
			if c.caller != nil { // first: the server may have to know what it makes
				c.caller(&f)
			}
			if c.server != nil {
				c.server(&s)
			}
			var verdicts <-chan verdict
			f.Address, verdicts = admit(t, s)
			said, err := reach(t, f)
			v := <-verdicts
			if v.who != c.who || !errors.Is(v.err, c.serverIs) {
				t.Errorf("the server: %q, %v; want %q, %v", v.who, v.err, c.who, c.serverIs)
			}
			if !errors.Is(err, c.callerIs) {
				t.Errorf("the caller: %v; want %v", err, c.callerIs)
			}
			var e *handover.DialError
			if c.code != 0 && (!errors.As(err, &e) || e.Code != c.code) {
				t.Errorf("the caller: %+v; want the code %d", err, c.code)
			}
			if want := map[bool]string{true: "in", false: "no"}[c.serverIs == nil]; c.who != "" && said != want {
				t.Errorf("the server said %q, want %q", said, want)
			}
		})
	}
}

// TestOthers: what does not speak our TLS is told apart, on both sides.
func TestOthers(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("web", leaf("web"))
	meCert, meKey := a.issue("me", leaf("me"))
	s := Server{Cert: cert, Key: key, ClientCA: a.pem}
	mine, err := tls.LoadX509KeyPair(meCert, meKey)
	must(t, err)
	pool, _, err := authorities(a.pem)
	must(t, err)
	handshake := func(c *tls.Config) func(net.Conn) {
		return func(conn net.Conn) {
			c.RootCAs, c.ServerName = pool, "127.0.0.1"
			t := tls.Client(conn, c)
			if t.Handshake() == nil {
				_, _ = io.Copy(io.Discard, t)
			}
		}
	}
	say := func(text string) func(net.Conn) {
		return func(conn net.Conn) {
			_, _ = io.WriteString(conn, text)
			_, _ = io.Copy(io.Discard, conn)
		}
	}
	for name, c := range map[string]struct {
		speak func(net.Conn)
		want  error
		text  string
	}{
		"HTTP":           {say("POST / HTTP/1.1\r\nHost: x\r\n\r\n"), ErrNoTLS, "began with HTTP"},
		"ssh":            {say("SSH-2.0-OpenSSH_9.2\r\n"), ErrNoTLS, "began with ssh"},
		"zeroes":         {say(strings.Repeat("\x00", 100)), ErrNoTLS, "began with"},
		"our own frames": {say("1app.reload\n...."), ErrNoTLS, "began with"},
		"no certificate": {handshake(&tls.Config{NextProtos: []string{protocol}}), ErrNoCertificate, ""},
		"TLS 1.2":        {handshake(&tls.Config{MaxVersion: tls.VersionTLS12, Certificates: []tls.Certificate{mine}}), ErrNoTLS, ""}, // #nosec G402 -- what is refused
		"another protocol": {handshake(&tls.Config{NextProtos: []string{"http/1.1"}, Certificates: []tls.Certificate{mine}}),
			ErrNoTLS, ""},
		"no protocol": {handshake(&tls.Config{Certificates: []tls.Certificate{mine}}), ErrNoTLS, "did not ask"},
		"nothing":     {func(conn net.Conn) { _ = conn.Close() }, io.EOF, ""},
	} {
		t.Run(name, func(t *testing.T) {
			address, verdicts := admit(t, s)
			conn, err := net.Dial("tcp", address)
			must(t, err)
			defer conn.Close()
			_ = conn.SetDeadline(time.Now().Add(30 * time.Second))
			c.speak(conn)
			if v := <-verdicts; !errors.Is(v.err, c.want) || !strings.Contains(v.err.Error(), c.text) {
				t.Errorf("%v; want %v %q", v.err, c.want, c.text)
			}
		})
	}
}

// TestSlow: a caller that says nothing has no longer than the context.
func TestSlow(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("web", leaf("web"))
	ours, theirs := net.Pipe()
	defer ours.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if secure, _, err := (Server{Cert: cert, Key: key, ClientCA: a.pem}).Admit(ctx, theirs); secure != nil || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v, %v", secure, err)
	}
}

// TestOtherServers: a caller tells what is there instead of a server of ours.
func TestOtherServers(t *testing.T) {
	a := newAuthority(t)
	cert, key := a.issue("web", leaf("web"))
	pair, err := tls.LoadX509KeyPair(cert, key)
	must(t, err)
	plain := func(conn net.Conn) { _, _ = io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n") }
	secure := func(conn net.Conn) {
		s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{pair}}) // #nosec G402 -- not ours to choose
		if s.Handshake() == nil {
			_, _ = io.Copy(io.Discard, s)
		}
	}
	for name, serve := range map[string]func(net.Conn){"plain text": plain, "another protocol": secure} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			must(t, err)
			done := make(chan struct{})
			go func() {
				defer close(done)
				if conn, err := l.Accept(); err == nil {
					serve(conn)
					conn.Close()
				}
			}()
			_, err = reach(t, handover.Far{Address: l.Addr().String(), Cert: cert, Key: key, CA: a.pem})
			var e *handover.DialError
			if !errors.Is(err, ErrNoTLS) || !errors.As(err, &e) || e.Code != 69 {
				t.Errorf("%+v", err)
			}
			_ = l.Close()
			<-done
		})
	}
}
