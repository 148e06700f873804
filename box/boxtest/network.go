package boxtest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"testing"
	"time"
)

// netCases are the failures of the network, nearly all of them real.
func netCases() []Case {
	return []Case{
		{Name: "dial a closed port",
			Make: func() error { return dial("tcp", "127.0.0.1:1") },
			also: all(is(syscall.ECONNREFUSED), as(func(t testing.TB, got, own *net.OpError) {
				equal(t, "Op", got.Op, "dial")
				equal(t, "Net", got.Net, own.Net)
				addr, ok := got.Addr.(*net.TCPAddr)
				if !ok {
					t.Fatalf("Addr is a %T; want a *net.TCPAddr", got.Addr)
				}
				equal(t, "Port", addr.Port, 1)
			}), as[net.Error](nil), as(func(t testing.TB, got, own *os.SyscallError) {
				equal(t, "SyscallError", *got, *own)
			}))},
		{Name: "dial a missing socket",
			Make: func() error { return dial("unix", missing) },
			also: all(is(syscall.ENOENT), as(func(t testing.TB, got, own *net.OpError) {
				equal(t, "Addr", *got.Addr.(*net.UnixAddr), *own.Addr.(*net.UnixAddr))
			}))},
		{Name: "a network that does not exist",
			Make: func() error { return dial("carrier-pigeon", "x") },
			also: as(func(t testing.TB, got, own net.UnknownNetworkError) { equal(t, "UnknownNetworkError", got, own) })},
		{Name: "a read that takes too long",
			Make: readTimeout,
			also: all(is(os.ErrDeadlineExceeded), as(func(t testing.TB, got, _ net.Error) {
				equal(t, "Timeout", got.Timeout(), true)
			}), timeout(true))},
		{Name: "an accept on a closed listener",
			Make: acceptClosed,
			also: is(net.ErrClosed)},
		{Name: "a dial that was cancelled",
			Make: func() error {
				ctx, cancel := context.WithCancel(context.Background())
				cancel()
				_, err := new(net.Dialer).DialContext(ctx, "tcp", "127.0.0.1:1")
				return err
			},
			also: is(context.Canceled)},
		{Name: "an address of another kind",
			Make: func() error {
				return &net.OpError{Op: "read", Net: "pigeon", Source: pigeon("coop 3"), Err: errors.New("no wind")}
			},
			also: as(func(t testing.TB, got, _ *net.OpError) {
				equal(t, "Source", got.Source.String(), "coop 3")
				equal(t, "Network", got.Source.Network(), "pigeon")
			})},
		{Name: "udp, ip and a nil address",
			Make: func() error {
				return errors.Join(
					&net.OpError{Op: "write", Net: "udp", Addr: &net.UDPAddr{IP: net.IPv6loopback, Port: 53, Zone: "lo"}, Err: syscall.EMSGSIZE},
					&net.OpError{Op: "write", Net: "ip", Addr: &net.IPAddr{IP: net.IPv4(127, 0, 0, 1)}, Err: syscall.EPERM},
					&net.OpError{Op: "dial", Net: "tcp", Addr: (*net.TCPAddr)(nil), Err: syscall.EPERM})
			},
			also: all(is(syscall.EMSGSIZE, syscall.EPERM), as[*net.OpError](nil))},
		{Name: "a name that is not found",
			Make: func() error {
				return fmt.Errorf("look up: %w", &net.DNSError{Err: "no such host", Name: "nowhere.invalid", Server: "127.0.0.53:53", IsNotFound: true})
			},
			also: as(func(t testing.TB, got, own *net.DNSError) { equal(t, "DNSError", *got, *own) })},
		{Name: "a name server that is slow",
			Make: func() error {
				return &net.DNSError{UnwrapErr: context.DeadlineExceeded, Err: "i/o timeout", Name: "slow.invalid", IsTimeout: true}
			},
			also: all(is(context.DeadlineExceeded), timeout(true))},
		{Name: "an address without a port",
			Make: func() error { _, _, err := net.SplitHostPort("web1"); return err },
			also: as(func(t testing.TB, got, own *net.AddrError) { equal(t, "AddrError", *got, *own) })},
		{Name: "a bad network mask",
			Make: func() error { _, _, err := net.ParseCIDR("10.0.0.0/99"); return err },
			also: as(func(t testing.TB, got, own *net.ParseError) { equal(t, "ParseError", *got, *own) })},
		{Name: "an invalid address",
			Make: func() error { return net.InvalidAddrError("bad") },
			also: as(func(t testing.TB, got, own net.InvalidAddrError) { equal(t, "InvalidAddrError", got, own) })},
	}
}

type pigeon string

func (p pigeon) Network() string { return "pigeon" }
func (p pigeon) String() string  { return string(p) }

func dial(network, addr string) error {
	c, err := net.Dial(network, addr)
	if err == nil {
		_ = c.Close()
	}
	return err
}

// readTimeout reads from a pipe whose deadline has passed.
func readTimeout() error {
	here, there := net.Pipe()
	defer func() { _ = here.Close(); _ = there.Close() }()
	if err := here.SetReadDeadline(time.Unix(1, 0)); err != nil {
		return err
	}
	_, err := here.Read(make([]byte, 1))
	return err
}

// acceptClosed accepts on a closed listener. Its port, which is in the text, is always 0.
func acceptClosed() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	_ = l.Close()
	_, err = l.Accept()
	var op *net.OpError
	if errors.As(err, &op) {
		op.Addr.(*net.TCPAddr).Port = 0
	}
	return err
}

// timeout wants the RemoteError itself to know whether it was a timeout.
func timeout(want bool) func(testing.TB, error, error) {
	return func(t testing.TB, got, _ error) {
		t.Helper()
		equal(t, "Timeout of the RemoteError", got.(interface{ Timeout() bool }).Timeout(), want)
	}
}
