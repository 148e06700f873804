package transports

import (
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// A way is a transport, and what is expected of the worker behind it.
type way struct {
	name     string
	via      transport.Transport
	uid      int
	guarded  bool
	local    bool
	anyBuild bool // without /proc a program cannot tell its build
	alike    bool // is to another one of these as regards the suite, which runs it only at full size
	warm     bool // of the suite, only the warm worker at less than full size
	programs []string
}

func ways(t *testing.T) []way {
	chain := func(hops ...transport.Transport) transport.Chain { return hops }
	all := []way{
		{name: "su", via: transport.Su{}, guarded: true, local: true, programs: []string{"su"}},
		{name: "su user", via: transport.Su{User: st.User}, uid: st.UID, guarded: true, local: true, alike: true},
		{name: "su login", via: transport.Su{User: st.User, Login: true}, uid: st.UID, guarded: true, local: true, alike: true},
		{name: "user, su", via: chain(asUser(), transport.Su{}), guarded: true, local: true, alike: true},
		{name: "doas", via: chain(asUser(), transport.Doas{}), guarded: true, local: true, programs: []string{"doas"}},
		{name: "doas user", via: chain(asUser(), transport.Doas{User: st.Second}), uid: st.SecondUID, guarded: true, local: true,
			alike: true, programs: []string{"doas"}},
		{name: "runuser", via: transport.Runuser{User: st.User}, uid: st.UID, guarded: true, local: true, programs: []string{"runuser"}, warm: true},
		{name: "setpriv", via: asUser(), uid: st.UID, guarded: true, local: true, alike: true},
		{name: "setpriv no rights", via: transport.Setpriv{NoNewPrivs: true, NoCaps: true}, local: true, alike: true},
		{name: "chroot", via: transport.Chroot{Dir: jail()}, guarded: true, local: true, warm: true},
		{name: "chroot user", via: transport.Chroot{Dir: jail(), User: st.User}, uid: st.UID, guarded: true, local: true, alike: true},
		{name: "chroot without proc", via: transport.Chroot{Dir: bareJail()}, local: true, anyBuild: true, alike: true},
		{name: "unshare", via: transport.Unshare{Namespaces: transport.Namespaces{Mount: true, UTS: true, IPC: true}}, local: true, alike: true},
		{name: "unshare pid", via: transport.Unshare{Namespaces: transport.Namespaces{PID: true}}, guarded: true, local: true},
		{name: "nsenter", via: transport.Nsenter{Target: elsewhere(t, "--mount", "--uts")}, guarded: true, local: true, alike: true},
		{name: "nsenter pid", via: transport.Nsenter{Target: elsewhere(t, "--pid", "--mount-proc", "--fork", "--kill-child"),
			Namespaces: transport.Namespaces{Mount: true, PID: true}}, guarded: true, local: true, warm: true},
		{name: "template", via: transport.Template{Words: []string{"sh", "-c", "exec {command}"}}, alike: true},
		{name: "template text", via: transport.Template{Words: []string{"env", "A=b", "{argv}"}, Text: true}, warm: true},
		{name: "user, sudo, su user", via: chain(asUser(), transport.Sudo{}, transport.Su{User: st.Second}), uid: st.SecondUID,
			guarded: true, local: true, alike: true},
		{name: "ssh, ssh", via: chain(sshAs(st.User), sshAs(st.Second)), uid: st.SecondUID, alike: true},
		{name: "ssh, sudo, doas", via: chain(sshAs(st.User), transport.Sudo{}, transport.Runuser{User: st.User}, transport.Doas{}),
			guarded: true, alike: true, programs: []string{"doas"}},
		{name: "ssh, sudo, su", via: chain(sshAs(st.User), transport.Sudo{}, transport.Su{User: st.Second}), uid: st.SecondUID,
			guarded: true},
		{name: "ssh, sudo, chroot", via: chain(sshAs(st.User), transport.Sudo{}, transport.Chroot{Dir: jail()}), guarded: true, alike: true},
	}
	return all
}

// overAll runs a test for each way.
func overAll(t *testing.T, test func(t *testing.T, w way)) {
	prepare(t)
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			need(t, w.programs...)
			for _, hop := range transport.Hops(w.via) {
				switch hop.(type) {
				case transport.SSH:
					st.NeedSSH(t)
				case transport.Sudo:
					st.NeedSudo(t)
				}
			}
			test(t, w)
		})
	}
}

// TestArgv: whatever argv, it arrives; streams are clean; the exit code comes back.
func TestArgv(t *testing.T) {
	overAll(t, func(t *testing.T, w way) { transporttest.Run(t, w.via, transporttest.Local) })
}

// TestWho: the function runs as who it should, and is watched over where it has other rights than its caller.
func TestWho(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		if got := transport.Local(w.via); got != w.local {
			t.Errorf("Local = %t, want %t", got, w.local)
		}
		got, err := whoami.On(delivery.Once{Via: w.via, AnyBuild: w.anyBuild})(os.Getpid())
		must(t, err)
		if got.UID != w.uid || got.Guarded != w.guarded || got.PID == os.Getpid() {
			t.Errorf("ran as %+v, want uid %d, guarded %t", got, w.uid, w.guarded)
		}
	})
}

// TestConformance: a fresh worker for each call and a warm one do behind every transport what they do without.
func TestConformance(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		if w.alike && os.Getenv("TRANSPORTS_FULL") != "1" {
			t.Skip("as another one of these; TRANSPORTS_FULL=1 runs it")
		}
		t.Parallel()
		t.Run("once", func(t *testing.T) {
			if w.warm && os.Getenv("TRANSPORTS_FULL") != "1" {
				t.Skip("once as another one of these; TRANSPORTS_FULL=1 runs it")
			}
			couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: w.via, AnyBuild: w.anyBuild} })
		})
		t.Run("session", func(t *testing.T) {
			couriertest.Run(t, func(t *testing.T) box.Courier {
				s, err := delivery.Open(limited(t), w.via, session.Options{AnyBuild: w.anyBuild})
				must(t, err)
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
				return s
			})
		})
	})
}
