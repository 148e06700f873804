package plugin

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"

	goplugin "github.com/hashicorp/go-plugin"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
)

// What the far side does for Open.
var (
	handshake = registry.Register("deliveryboy.plugin.handshake", greet)
	connect   = registry.Register("deliveryboy.plugin.connect", serveConnection)
)

// A question is the first that the far side is asked.
type question struct {
	Set string
	Env []string // what go-plugin tells a plugin by its environment, "NAME=value"
}

// An answer is what plugin.Serve would print, and which process it is.
type answer struct {
	Line, Life string
	Version    int // the highest that both have, or the lowest of the set
}

// life is another text in every process.
var life = rand.Text()

// shake asks the far side. What is printed meanwhile would have nobody who reads it yet.
func shake(ctx context.Context, s *session.Session, q question) (answer, error) {
	var early bytes.Buffer
	a, err := handshake.On(s)(box.WithOutput(ctx, io.Discard, &early), q)
	if err != nil && early.Len() > 0 {
		err = fmt.Errorf("%w (it said: %.1024q)", err, early.String())
	}
	return a, err
}

// greet tells go-plugin's host which version it gets.
func greet(_ context.Context, q question) (answer, error) {
	_, version, _, err := q.agree()
	if err != nil {
		return answer{}, err
	}
	line := fmt.Sprintf("%d|%d|unix|%s|%s|\n", goplugin.CoreProtocolVersion, version, address, goplugin.ProtocolGRPC)
	return answer{Line: line, Life: life, Version: version}, nil
}

// agree checks the cookie and chooses the version, as plugin.Serve does. It is not agreed if there is none that both have.
func (q question) agree() (s Set, version int, agreed bool, err error) {
	if s, err = provided(q.Set); err != nil {
		return s, 0, false, err
	}
	env := map[string]string{}
	for _, pair := range q.Env {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	if env[s.Handshake.MagicCookieKey] != s.Handshake.MagicCookieValue {
		return s, 0, false, fmt.Errorf("plugin: set %q: the magic cookie %s is missing, or is another: this is a plugin for another program, or for another release of yours", q.Set, s.Handshake.MagicCookieKey)
	}
	var theirs []int
	for text := range strings.SplitSeq(env[envVersions], ",") {
		if v, err := strconv.Atoi(text); err == nil {
			theirs = append(theirs, v)
		}
	}
	version = s.choose(theirs)
	return s, version, slices.Contains(theirs, version), nil
}

// envVersions is the variable in which go-plugin's host lists its versions.
const envVersions = "PLUGIN_PROTOCOL_VERSIONS"

// serveConnection serves one connection of go-plugin, and returns when it has ended.
func serveConnection(ctx context.Context, process, set string, version int, stream io.ReadWriteCloser) error {
	if process != life {
		return errors.New("plugin: the worker that served this set has ended; open the set again")
	}
	s, err := serverOf(set, version)
	if err != nil {
		return err
	}
	c := &conn{ReadWriteCloser: stream, done: make(chan struct{})}
	defer func() { _ = c.Close() }()
	if !s.hand(ctx, c) {
		return net.ErrClosed
	}
	select {
	case <-c.done:
	case <-ctx.Done():
	}
	return nil
}

// servers are those of this process, one for each version of a set that somebody uses.
var servers struct {
	sync.Mutex
	running map[serverKey]*listener
}

type serverKey struct {
	set     string
	version int
}

// serverOf returns where the server of a set takes connections, and starts the server if there is none.
func serverOf(set string, version int) (*listener, error) {
	servers.Lock()
	defer servers.Unlock()
	key := serverKey{set, version}
	if l := servers.running[key]; l != nil {
		return l, nil
	}
	s, err := provided(set)
	if err != nil {
		return nil, err
	}
	// No output passes here: that of a worker goes through its session. Readers that end, and a logger that this field
	// does not have, would make go-plugin panic; these two block for as long as the process lives.
	stdout, _ := io.Pipe()
	stderr, _ := io.Pipe()
	server := &goplugin.GRPCServer{
		Plugins: s.versions()[version], Server: s.server(), DoneCh: make(chan struct{}), Stdout: stdout, Stderr: stderr,
	}
	if err := server.Init(); err != nil {
		return nil, fmt.Errorf("plugin: set %q: %w", set, err)
	}
	l := newListener()
	go server.Serve(l) // ends with go-plugin's Shutdown, or with the process
	if servers.running == nil {
		servers.running = map[serverKey]*listener{}
	}
	servers.running[key] = l
	return l, nil
}
