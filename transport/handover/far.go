package handover

import (
	"context"
	"errors"
	"net"
	"strings"
)

// Far is a server on TCP, and what both sides need to know each other; see transport.TLS.
type Far struct {
	Address       string // host:port
	Cert, Key, CA string // files
	Pin, Name     string
	CRL           string // file
}

// farMark begins the address in a connector's argv.
const farMark = "tls:"

// FarArgv is the argv of a connector to a server on TCP.
func FarArgv(program string, f Far, names string) []string {
	argv := []string{program, Verb, farMark + f.Address, f.Cert, f.Key, f.CA, f.Pin, f.Name, names, f.CRL}
	for argv[len(argv)-1] == "" {
		argv = argv[:len(argv)-1]
	}
	return argv
}

// farWords are the arguments of a connector to a server on TCP.
func farWords(argv []string) (f Far, names string, ok bool) {
	if len(argv) < 3 || len(argv) > 10 || !strings.HasPrefix(argv[2], farMark) {
		return f, "", false
	}
	words := append(argv[2:len(argv):len(argv)], "", "", "", "", "", "", "")
	f = Far{Address: words[0][len(farMark):], Cert: words[1], Key: words[2], CA: words[3], Pin: words[4], Name: words[5], CRL: words[7]}
	return f, words[6], true
}

// A DialError says why there is no connection to a server on TCP, with the connector's exit code.
type DialError struct {
	Code int
	Err  error
}

func (e *DialError) Error() string { return e.Err.Error() }

func (e *DialError) Unwrap() error { return e.Err }

// Exit codes for a [DialError].
const (
	CodeUnavailable = exitUnavailable
	CodePermission  = exitPermission
	CodeConfig      = 78
)

// What package transport/mtls brings; nil in a program that does not link it.
var (
	dialFar    func(ctx context.Context, f Far) (net.Conn, error)
	tlsFailure func(err error) *DialError
)

// UseTLS gives connectors of this program TLS: how to connect and authenticate, and what a failed read says of that, or nil,
// because a server tells only after the handshake that it does not take a certificate. Package transport/mtls calls it
// before main.
func UseTLS(dial func(ctx context.Context, f Far) (net.Conn, error), failure func(err error) *DialError) {
	dialFar, tlsFailure = dial, failure
}

// runFar plays the connector to a server on TCP.
func runFar(f Far, names string) (code int, err error) {
	if dialFar == nil {
		return CodeConfig, errors.New("no TLS: this program does not import transport/mtls, which TCP needs")
	}
	ctx, cancel := context.WithTimeout(context.Background(), dialWait)
	defer cancel()
	conn, err := dialFar(ctx, f)
	if err != nil {
		code = CodeUnavailable
		var e *DialError
		if errors.As(err, &e) {
			code = e.Code
		}
		return code, err
	}
	defer conn.Close()
	return NewLine(conn).connect(names)
}
