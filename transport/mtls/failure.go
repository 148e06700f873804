package mtls

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
)

// classify says what kind of failure a handshake had.
func classify(err error) error {
	var record tls.RecordHeaderError
	var invalid x509.CertificateInvalidError
	switch {
	case errors.As(err, &record):
		return fmt.Errorf("%w: it began with %s", ErrNoTLS, spoken(record.RecordHeader))
	case errors.As(err, &invalid) && invalid.Reason == x509.Expired:
		return fmt.Errorf("%w: %w", ErrExpired, err)
	case errors.As(err, new(x509.UnknownAuthorityError)):
		return fmt.Errorf("%w: %w", ErrAuthority, err)
	case errors.As(err, new(x509.HostnameError)):
		return fmt.Errorf("%w: %w", ErrName, err)
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return fmt.Errorf("%w: %w", ErrCertificate, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return fmt.Errorf("the handshake took too long: %w", err)
	}
	switch text := err.Error(); {
	case strings.Contains(text, "didn't provide a certificate"):
		return fmt.Errorf("%w: %w", ErrNoCertificate, err)
	case strings.Contains(text, "unsupported versions"), strings.Contains(text, "application protocol"):
		return fmt.Errorf("%w: %w", ErrNoTLS, err)
	}
	if told := alert(err); told != nil {
		return fmt.Errorf("the other side refused: %w: %w", told, err)
	}
	return err
}

// spoken says what somebody speaks by the first bytes.
func spoken(first [5]byte) string {
	text := string(first[:])
	for _, verb := range []string{"GET ", "HEAD ", "POST ", "PUT ", "HTTP/", "OPTIO", "DELET", "CONNE", "PATCH", "PRI *"} {
		if strings.HasPrefix(text, verb) {
			return "HTTP"
		}
	}
	if strings.HasPrefix(text, "SSH-") {
		return "ssh"
	}
	return fmt.Sprintf("%q", text)
}

// alerts are those of TLS about certificates and versions. The package tls has no type for them.
var alerts = []struct {
	text string
	err  error
}{
	{"expired certificate", ErrExpired},
	{"unknown certificate authority", ErrAuthority},
	{"certificate required", ErrNoCertificate},
	{"no application protocol", ErrNoTLS},
	{"protocol version not supported", ErrNoTLS},
	{"bad certificate", ErrCertificate},
	{"unsupported certificate", ErrCertificate},
	{"revoked certificate", ErrRevoked},
	{"unknown certificate", ErrCertificate},
}

// alert is what the other side said of ours before it closed; nil if nothing that is known.
func alert(err error) error {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "remote error" {
		return nil
	}
	for _, a := range alerts {
		if strings.HasSuffix(op.Err.Error(), a.text) {
			return a.err
		}
	}
	return nil
}
