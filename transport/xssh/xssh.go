// Package xssh reaches another host through ssh without the ssh program: the connection is made by this process. It comes up
// in half the time of a new one of ssh, and nothing is started here.
//
//	web, err := delivery.Open(ctx, transport.Chain{xssh.SSH{Host: "web1"}, transport.Sudo{}})
//
// # What it knows
//
// Keys of files and of an agent (IdentityFile, IdentitiesOnly, IdentityAgent), certificates for them (CertificateFile, and
// KEY-cert.pub beside a key), jump hosts (ProxyJump, several, and behind each other), and the files of known hosts with hashed
// names, wildcards, @cert-authority and @revoked, under another name too (HostKeyAlias). Host keys are always checked, as with
// StrictHostKeyChecking=yes. Where the session has Ask, it is asked for the passphrase of a key that the host takes, for a
// password, and what the host wants to know (keyboard-interactive); each once.
//
// # What it does not
//
// There are no hardware tokens, Kerberos, shared connections or forwarding. A setting of ssh's configuration that this package
// does not know, and that would lead elsewhere, trust another key, or demand more of one (ProxyCommand, Match but "all",
// RevokedHostKeys, HostKeyAlgorithms, …) is an error that names it, and so is one that nobody knows. Settings that are about
// what is not done here are left out. For all these there is transport.SSH.
package xssh

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/seed354a1416/deliveryboy/transport"
)

var (
	// ErrHostKey says that the host's key is not known, or not the one that is known.
	ErrHostKey = errors.New("host key")
	// ErrAuth says that there is no key, or that the host takes none.
	ErrAuth = errors.New("no key of this user is taken")
)

const defaultTimeout = 10 * time.Second

// SSH is another host, through ssh. It can only be the first hop. Its text is that of [transport.SSH], which is what Parse
// makes of it: the choice between the two is one of the program.
type SSH struct {
	// Host is a name, an IPv4 address, or an IPv6 address without brackets. Required; see [transport.CheckHost].
	Host string
	// User is the far user; empty: as ssh's configuration says, then the local name.
	User string
	// Port is 1 to 65535; 0: as ssh's configuration says, then 22.
	Port int
	// Identity is the private key file; with it no other key is tried. Absolute, or "~/…".
	Identity string
	// ConfigFile replaces ssh's configuration files. Absolute, or "~/…", or "none".
	ConfigFile string
	// KnownHosts is the file of host keys that this user trusts, instead of ~/.ssh/known_hosts. Absolute, or "~/…".
	KnownHosts string
	// Jump are the hosts to go through, "[user@]host[:port],…", at most 7; empty: as ssh's configuration says. As with ssh,
	// User, Port, Identity and KnownHosts are for Host alone: what holds for these is in the configuration.
	Jump string
	// ConnectTimeout is how long a connection to each host may take to come up, in whole seconds, without the time of
	// questions; 0 means 10 s.
	ConnectTimeout time.Duration
}

func (s SSH) program() transport.SSH {
	return transport.SSH{
		Host: s.Host, User: s.User, Port: s.Port, Identity: s.Identity, ConfigFile: s.ConfigFile, KnownHosts: s.KnownHosts,
		Jump: s.Jump, NoShare: true, ConnectTimeout: s.ConnectTimeout,
	}
}

// Command returns what ssh would be given: its last word is what the far shell reads.
func (s SSH) Command(argv []string) ([]string, error) { return s.program().Command(argv) }

// String is the spec form, such as "ssh=deploy@web1//no_share".
func (s SSH) String() string { return s.program().String() }

// Dial connects, proves who both sides are, and starts the command. Errors are [ErrHostKey], [ErrAuth] and those of the
// network.
func (s SSH) Dial(ctx context.Context, command []string, streams [3]*os.File) (transport.Dialed, error) {
	l := &line{streams: streams}
	if err := l.open(ctx, s, command[len(command)-1]); err != nil {
		_ = l.Close()
		l.closeStreams()
		return nil, fmt.Errorf("xssh: %s: %w", s.Host, err)
	}
	return l, nil
}

// open brings the line up to where the command runs.
func (l *line) open(ctx context.Context, s SSH, command string) error {
	way, err := route(s)
	if err != nil {
		return err
	}
	timeout := s.ConnectTimeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	outer := ctx
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(timeout, func() { cancel(context.DeadlineExceeded) })
	defer timer.Stop()
	if transport.Asks(outer) {
		ctx = transport.WithAsk(ctx, func(_ context.Context, text string) ([]byte, error) {
			timer.Stop()
			defer timer.Reset(timeout)
			return transport.Ask(outer, text)
		})
	}
	for i, p := range way {
		timer.Reset(timeout)
		if err = l.reach(ctx, p); err != nil && i < len(way)-1 {
			err = fmt.Errorf("jump host %s: %w", p.host, err)
		}
		if err != nil {
			break
		}
	}
	if err == nil {
		err = l.run(ctx, command)
	}
	if err != nil && ctx.Err() != nil && outer.Err() == nil {
		return fmt.Errorf("%w (within %s)", context.Cause(ctx), timeout)
	}
	return err
}

// reach logs in to a host, from the one before it.
func (l *line) reach(ctx context.Context, to *place) error {
	dial := (&net.Dialer{}).DialContext
	if n := len(l.clients); n > 0 {
		dial = l.clients[n-1].DialContext
	}
	conn, err := dial(ctx, to.network, to.address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	client, err := shakeHands(ctx, conn, to)
	if !stop() && err == nil {
		_ = client.Close()
		err = context.Cause(ctx)
	}
	if err == nil {
		l.clients = append(l.clients, client)
	}
	return err
}

func shakeHands(ctx context.Context, conn net.Conn, to *place) (*ssh.Client, error) {
	db, err := to.known()
	var log *login
	if err == nil {
		log, err = to.login(ctx)
	}
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	defer log.done()
	config := &ssh.ClientConfig{
		User: to.user, Auth: log.ways, HostKeyCallback: to.checkKey,
		HostKeyAlgorithms: db.HostKeyAlgorithms(to.alias), // a host may have keys of several kinds, and one of them be known
	}
	c, channels, requests, err := ssh.NewClientConn(conn, to.address, config)
	if err != nil {
		_ = conn.Close()
		if to.trusted && (log.failed != nil || strings.Contains(err.Error(), "unable to authenticate") ||
			strings.Contains(err.Error(), "Too many authentication failures")) {
			err = log.explain(to, err)
		}
		return nil, err
	}
	return ssh.NewClient(c, channels, requests), nil
}
