package mtls

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/worker/server"
)

// Server is who a server on TCP is, and who may connect to it; the Guard of delivery.ServeOptions. Cert, Key, and ClientCA
// or a list of keys are required.
type Server struct {
	// Cert is the file of the server's certificate, PEM, its own first.
	Cert string
	// Key is the file of its private key, PEM. It must be of this process's user, and of mode 0600 or less.
	Key string
	// ClientCA is the file of the authorities that callers' certificates have to be of, PEM. Empty: of any, if their keys are
	// on the list, which then has to hold nothing but keys.
	ClientCA string
	// Revoked is the file with what the authorities of ClientCA have revoked: their lists (CRL), PEM, or one as DER. Each
	// authority, those between it and a caller included, has to have one that is in time, or nobody of it is let in. It is
	// read for each connection. Empty: nothing is revoked.
	Revoked string
	// Names may connect: "uri:…", "dns:…" (subject alternative names), "cn:…" (common name) or "sha256:…" (see [Pin]), each to
	// the letter. With neither Names nor NamesFile, all of the authority may.
	Names []string
	// NamesFile has more of them, one in a line; "#" begins a comment. It is read for each connection: a caller whose line is
	// removed is shut out from then on. What runs goes on.
	NamesFile string
}

var _ server.Guard = Server{}

// Check reads all files, and says what is wrong with them.
func (s Server) Check() error {
	if s.Cert == "" || s.Key == "" || s.ClientCA == "" && !s.listed() {
		return server.ErrOpen
	}
	_, _, err := s.load()
	if err != nil || s.Revoked == "" {
		return err
	}
	if s.ClientCA == "" {
		return fmt.Errorf("mtls: revoked %.200q: such a list is of an authority, and there is none; take keys off the list of names instead", s.Revoked)
	}
	lists, err := readRevoked(s.Revoked, time.Now())
	if err != nil {
		return err
	}
	_, all, err := authorities(s.ClientCA)
	if err != nil {
		return err
	}
	return lists.covers(all)
}

func (s Server) listed() bool { return len(s.Names) > 0 || s.NamesFile != "" }

// load reads what is needed for one connection.
func (s Server) load() (*tls.Config, []string, error) {
	cert, err := pair(s.Cert, s.Key)
	if err != nil {
		return nil, nil, err
	}
	c := base(cert)
	c.ClientAuth = tls.RequireAnyClientCert
	if s.ClientCA != "" {
		c.ClientAuth = tls.RequireAndVerifyClientCert
		if c.ClientCAs, _, err = authorities(s.ClientCA); err != nil {
			return nil, nil, err
		}
	}
	list := slices.Clone(s.Names)
	if s.NamesFile != "" {
		more, err := lines(s.NamesFile)
		if err != nil {
			return nil, nil, err
		}
		list = append(list, more...)
	}
	for _, entry := range list {
		if err := checkName(entry); err != nil {
			return nil, nil, err
		}
		if s.ClientCA == "" && !strings.HasPrefix(entry, pinMark) {
			return nil, nil, fmt.Errorf("mtls: name %.200q: without an authority, anybody can make a certificate with that name; list sha256:… only", entry)
		}
	}
	return c, list, nil
}

// Admit implements server.Guard.
func (s Server) Admit(ctx context.Context, conn net.Conn) (secure net.Conn, who string, err error) {
	config, list, err := s.load()
	if err != nil {
		return nil, "", err
	}
	t := tls.Server(conn, config)
	if err := t.HandshakeContext(ctx); err != nil {
		err = classify(err)
		if !errors.Is(err, ErrNoTLS) {
			linger(conn)
		}
		return nil, "", err
	}
	state := t.ConnectionState()
	peer := state.PeerCertificates[0]
	if state.NegotiatedProtocol != protocol {
		return nil, "", fmt.Errorf("%w: it did not ask for %s", ErrNoTLS, protocol)
	}
	if err := valid(peer, time.Now()); err != nil {
		return t, namesOf(peer)[0], err
	}
	if s.Revoked != "" { // not earlier: it may be long, and anybody may connect
		lists, err := readRevoked(s.Revoked, time.Now())
		if err != nil {
			_ = t.Close()
			return nil, "", err
		}
		if err := lists.check(state.VerifiedChains); err != nil {
			return t, namesOf(peer)[0], err
		}
	}
	who, err = known(peer, list, !s.listed())
	return t, who, err
}

// linger lets the alert arrive that says what was wrong: to close a connection from which not all was read may destroy it.
func linger(conn net.Conn) {
	_ = conn.SetDeadline(time.Now().Add(time.Second))
	if c, ok := conn.(*net.TCPConn); ok && c.CloseWrite() == nil {
		_, _ = io.Copy(io.Discard, io.LimitReader(conn, 1<<16))
	}
}
