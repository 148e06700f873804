//go:build linux

package serve

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/play"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

func TestVerb(t *testing.T) {
	if handover.WorkerVerb != wire.Verb {
		t.Errorf("a connector asks for %s, a worker is %s", handover.WorkerVerb, wire.Verb)
	}
}

// TestConformance: a worker of a server does all that a worker does.
func TestConformance(t *testing.T) {
	srv := serve(t, settings{})
	for name, via := range map[string]transport.Transport{
		"socket": srv.via(), "ssh then socket": transport.Chain{sshHop(), srv.via()},
	} {
		t.Run(name, func(t *testing.T) {
			if name != "socket" {
				st.NeedSSH(t)
			}
			t.Run("once", func(t *testing.T) {
				if name != "socket" && testing.Short() {
					t.Skip("as without ssh; SERVE_FULL=1 runs it")
				}
				couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: via} })
			})
			t.Run("session", func(t *testing.T) {
				couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, via) })
			})
		})
	}
	srv.Term(t)
	nothingLeft(t, "a whole suite")
}

func itoa(n int) string { return strconv.Itoa(n) }

func open(t *testing.T, via transport.Transport) *session.Session {
	t.Helper()
	s, err := delivery.Open(limited(t), via)
	must(t, err)
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// TestWho: the worker is the server's, with a guardian between them, and is no child of the caller.
func TestWho(t *testing.T) {
	srv := serve(t, settings{})
	got, err := whoami.On(open(t, srv.via()))()
	must(t, err)
	guardians, err := st.Children(srv.Cmd.Process.Pid)
	must(t, err)
	if got.UID != st.UID || len(guardians) != 1 || got.Parent != guardians[0].PID {
		t.Errorf("%+v runs it; children of the server: %v", got, guardians)
	}
	srv.Wait(t, "msg=started")
}

// TestStrangers: who may connect is decided by who they are; who is trusted to serve as well.
func TestStrangers(t *testing.T) {
	st.NeedSudo(t)
	st.NeedSecond(t)
	closed := serve(t, settings{Options: delivery.ServeOptions{Socket: openDir(t)}})
	must(t, os.Chmod(closed.path, 0o666)) // it is not the mode that keeps them out
	guests := serve(t, settings{Options: delivery.ServeOptions{Users: []string{st.Second}}})
	groups := serve(t, settings{Options: delivery.ServeOptions{Groups: []string{"#" + itoa(st.SecondGID)}}})
	second := transport.Sudo{User: st.Second}
	for _, c := range []struct {
		name string
		via  transport.Transport
		want string // of the error; empty: it runs
	}{
		{"of its own user", closed.via(), ""},
		{"of root", transport.Chain{transport.Sudo{}, transport.Socket{Path: closed.path, User: st.User}}, ""},
		{"of another user", transport.Chain{second, transport.Socket{Path: closed.path, User: st.User}}, "refused: uid"},
		{"of a guest", transport.Chain{second, transport.Socket{Path: guests.path, User: st.User}}, ""},
		{"of a guest's group", transport.Chain{second, transport.Socket{Path: groups.path, User: "#" + itoa(st.UID)}}, ""},
		{"of a guest who does not trust it", transport.Chain{second, guests.via()}, "not trusted: the server is of uid"},
		{"of a guest who trusts another", transport.Chain{second, transport.Socket{Path: guests.path, User: "daemon"}}, "and not of daemon"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := whoami.On(delivery.Once{Via: c.via})()
			if c.want == "" {
				must(t, err)
				if got.UID != st.UID {
					t.Errorf("ran as %+v", got)
				}
				return
			}
			refused(t, err, c.want, transport.ReasonNotAllowed)
		})
	}
	closed.Wait(t, "level=WARN", "msg=refused", "peer.uid="+itoa(st.SecondUID))
}

// openDir is a socket in a directory that others can look into.
func openDir(t *testing.T) string {
	t.Helper()
	path := play.Socket(t, "app.sock")
	must(t, os.Mkdir(filepath.Dir(path), 0o755))
	must(t, os.Chmod(filepath.Dir(path), 0o755))
	return path
}

// refused wants an error of the transport, with a text and a reason.
func refused(t *testing.T, err error, text, reason string) {
	t.Helper()
	var e *box.TransportError
	if !errors.As(err, &e) || !strings.Contains(e.Stderr, text) || !strings.HasPrefix(e.Reason, reason) {
		t.Errorf("got %+v; want %q, because %q", err, text, reason)
	}
}

// TestOnly: a server offers what it was told to, and callers narrow their workers further.
func TestOnly(t *testing.T) {
	srv := serve(t, settings{Options: delivery.ServeOptions{Only: []string{"whoami", "pause"}}})
	once := delivery.Once{Via: srv.via()}
	_, err := whoami.On(once)()
	must(t, err)
	_, err = other.On(once)()
	refused(t, err, `function "other" is not served here`, transport.ReasonNotAllowed)
	s := open(t, srv.via())
	_, err = whoami.On(s)()
	must(t, err)
	if _, err := other.On(s)(); err == nil || !strings.Contains(err.Error(), "other") {
		t.Errorf("a function that is not offered: %v", err)
	}
}

// TestNoServer: each way in which there may be none has its reason.
func TestNoServer(t *testing.T) {
	path := play.Socket(t, "app.sock")
	_, err := whoami.On(delivery.Once{Via: transport.Socket{Path: path}})()
	refused(t, err, "no such file or directory", transport.ReasonRefused)
	srv := serve(t, settings{Options: delivery.ServeOptions{Socket: path}})
	must(t, srv.Cmd.Process.Kill())
	_ = srv.Cmd.Wait()
	_, err = whoami.On(delivery.Once{Via: transport.Socket{Path: path}})()
	refused(t, err, "connection refused", transport.ReasonRefused)
}
