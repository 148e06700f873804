// Package mtls brings servers to TCP: TLS 1.3, with a certificate on both sides. A program that serves, or reaches a server,
// over a network imports it; in others, TLS would take a tenth of the start of a worker.
//
//	err := delivery.Serve(ctx, delivery.ServeOptions{Address: "10.0.0.7:7413", Guard: mtls.Server{
//		Cert: "/etc/app/web1.pem", Key: "/etc/app/web1.key", ClientCA: "/etc/app/ca.pem", Names: []string{"cn:deployer"},
//	}})
//
// The other side is a hop, for which the import alone is enough:
//
//	import _ "github.com/seed354a1416/deliveryboy/transport/mtls"
//
//	via := transport.Socket{Address: "web1.example:7413", TLS: transport.TLS{
//		Cert: "/home/me/.app/me.pem", Key: "/home/me/.app/me.key", CA: "/home/me/.app/ca.pem",
//	}}
//
// CERTIFICATES.md says how to make these files with openssl. Keys are files of the process that connects and of the server;
// neither callers nor workers read them. All files are read anew for each connection, so that a certificate is renewed, and
// a caller shut out, without a restart.
package mtls

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// protocol is what both sides agree on (ALPN): what speaks another one, such as HTTP, is not let in by a certificate that
// it happens to have.
const protocol = "deliveryboy/1"

// What is wrong with the certificate of the other side, or how it does not speak. Errors of both sides wrap them.
var (
	// ErrNoTLS says that the other side does not speak TLS 1.3, or speaks something else inside.
	ErrNoTLS = errors.New("no TLS of ours")
	// ErrNoCertificate says that the other side showed none.
	ErrNoCertificate = errors.New("no certificate")
	// ErrExpired says that a certificate is not valid any more, or not yet.
	ErrExpired = errors.New("expired")
	// ErrAuthority says that a certificate is of another authority than those that count.
	ErrAuthority = errors.New("unknown authority")
	// ErrName says that a certificate is for another name than the one that is wanted.
	ErrName = errors.New("another name")
	// ErrKey says that a certificate has another key than the one that is wanted.
	ErrKey = errors.New("another key")
	// ErrCertificate says that a certificate is wrong in some other way.
	ErrCertificate = errors.New("bad certificate")
	// ErrRevoked says that the authority of a certificate has revoked it.
	ErrRevoked = errors.New("revoked")
	// ErrNoList says that nothing is known of what an authority has revoked, though it has to be.
	ErrNoList = errors.New("no list of revoked certificates")
	// ErrStranger says that a certificate is good, and its owner not on the list.
	ErrStranger = errors.New("not on the list")
	// ErrFile says that a file cannot be used: it is missing, holds something else, or is not safe.
	ErrFile = errors.New("file cannot be used")
)

func init() { handover.UseTLS(dial, heard) }

// base is what both sides want of TLS.
func base(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13, NextProtos: []string{protocol}, Certificates: []tls.Certificate{cert},
		SessionTicketsDisabled: true, // each connection proves all of it
	}
}

// valid reports whether a certificate has a time that is wrong.
func valid(c *x509.Certificate, now time.Time) error {
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return fmt.Errorf("%w: it is valid from %s to %s", ErrExpired, c.NotBefore.Format(time.RFC3339), c.NotAfter.Format(time.RFC3339))
	}
	return nil
}
