package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// dial is the connector's side.
func dial(ctx context.Context, f handover.Far) (net.Conn, error) {
	config, err := configFor(f)
	if err != nil {
		return nil, &handover.DialError{Code: handover.CodeConfig, Err: err}
	}
	d := &net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 15 * time.Second, Count: 3}}
	conn, err := d.DialContext(ctx, "tcp", f.Address)
	if err != nil {
		return nil, err
	}
	t := tls.Client(conn, config)
	err = t.HandshakeContext(ctx)
	if err == nil && t.ConnectionState().NegotiatedProtocol != protocol {
		err = fmt.Errorf("%w: it does not speak %s", ErrNoTLS, protocol)
	}
	if err != nil {
		_ = conn.Close()
		if told := heard(err); told != nil {
			return nil, told
		}
		return nil, theirs(err)
	}
	return t, nil
}

func configFor(f handover.Far) (*tls.Config, error) {
	cert, err := pair(f.Cert, f.Key)
	if err != nil {
		return nil, err
	}
	name := f.Name
	if name == "" {
		if name, _, err = net.SplitHostPort(f.Address); err != nil {
			return nil, err
		}
	}
	c := base(cert)
	c.ServerName = name
	if f.CA != "" {
		if c.RootCAs, _, err = authorities(f.CA); err != nil {
			return nil, err
		}
	}
	var lists revoked
	if f.CRL != "" {
		if f.CA == "" {
			return nil, errors.New("a list of revoked certificates is of an authority, and none is given")
		}
		if lists, err = readRevoked(f.CRL, time.Now()); err != nil {
			return nil, err
		}
	}
	switch {
	case f.Pin == "" && f.CA == "":
		return nil, errors.New("neither an authority nor a key says who the server is")
	}
	c.InsecureSkipVerify = f.CA == "" // #nosec G402 -- the key is compared instead, and what verification does else is done here
	c.VerifyConnection = func(s tls.ConnectionState) error {
		if f.Pin != "" {
			if err := pinned(s.PeerCertificates[0], f.Pin, name); err != nil {
				return err
			}
		}
		if f.CRL == "" {
			return nil
		}
		return lists.check(s.VerifiedChains)
	}
	return c, nil
}

// pinned checks a server by its key, its name and its time.
func pinned(c *x509.Certificate, pin, name string) error {
	if got := Pin(c); got != pin {
		return fmt.Errorf("%w: %s", ErrKey, got)
	}
	if err := c.VerifyHostname(name); err != nil {
		return err
	}
	return valid(c, time.Now())
}

// theirs is the error for what is wrong with the server.
func theirs(err error) *handover.DialError {
	err = classify(err)
	code := handover.CodeUnavailable
	for _, bad := range []error{ErrExpired, ErrAuthority, ErrName, ErrKey, ErrRevoked, ErrNoList, ErrCertificate} {
		if errors.Is(err, bad) {
			return &handover.DialError{Code: handover.CodePermission, Err: fmt.Errorf("the server's certificate: %w", err)}
		}
	}
	return &handover.DialError{Code: code, Err: err}
}

// heard is the error for what the server says is wrong with this side; nil if it says nothing of that.
func heard(err error) *handover.DialError {
	told := alert(err)
	switch {
	case told == nil:
		return nil
	case errors.Is(told, ErrNoTLS):
		return &handover.DialError{Code: handover.CodeUnavailable, Err: fmt.Errorf("%w: %w", told, err)}
	}
	return &handover.DialError{Code: handover.CodePermission, Err: fmt.Errorf("the server refuses this certificate: %w: %w", told, err)}
}
