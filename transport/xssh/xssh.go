// Package xssh reaches another host through ssh without the ssh program: the connection is made by this process. It comes up
// in half the time of a new one of ssh, and nothing is started here.
//
//	web, err := delivery.Open(ctx, transport.Chain{xssh.SSH{Host: "web1"}, transport.Sudo{}})
//
// It knows less than ssh does: keys from files and from the agent, and known_hosts. What it finds in ssh's configuration and
// does not know, where that would lead elsewhere or trust another key, is an error, and not left out. For jump hosts, host
// certificates, hardware tokens, passwords and shared connections there is transport.SSH.
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
	// Identity is the private key file; with it no other key is tried. It must have no passphrase. Absolute, or "~/…".
	Identity string
	// ConfigFile replaces ssh's configuration files. Absolute, or "~/…", or "none".
	ConfigFile string
	// KnownHosts is the file of host keys that this user trusts, instead of ~/.ssh/known_hosts. Absolute, or "~/…".
	KnownHosts string
	// ConnectTimeout is how long a connection may take to come up, in whole seconds; 0 means 10 s.
	ConnectTimeout time.Duration
}

func (s SSH) program() transport.SSH {
	return transport.SSH{
		Host: s.Host, User: s.User, Port: s.Port, Identity: s.Identity, ConfigFile: s.ConfigFile, KnownHosts: s.KnownHosts,
		NoShare: true, ConnectTimeout: s.ConnectTimeout,
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
	to, err := resolve(s)
	if err != nil {
		return err
	}
	timeout := s.ConnectTimeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", to.address)
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	err = l.shakeHands(conn, to)
	if err == nil {
		err = l.run(command)
	}
	if !stop() && err == nil || err != nil && ctx.Err() != nil {
		return fmt.Errorf("%w (within %s)", context.Cause(ctx), timeout)
	}
	return err
}

func (l *line) shakeHands(conn net.Conn, to *place) error {
	auth, done, err := to.auth()
	if err != nil {
		_ = conn.Close()
		return err
	}
	defer done()
	config := &ssh.ClientConfig{
		User: to.user, Auth: []ssh.AuthMethod{auth}, HostKeyCallback: to.checkKey, HostKeyAlgorithms: to.algorithms,
	}
	c, channels, requests, err := ssh.NewClientConn(conn, to.address, config)
	if err != nil {
		_ = conn.Close()
		if to.trusted && strings.Contains(err.Error(), "unable to authenticate") {
			err = fmt.Errorf("%w: user %s: %w", ErrAuth, to.user, err)
		}
		return err
	}
	l.client = ssh.NewClient(c, channels, requests)
	return nil
}
