package transports

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestDiagnose makes the real tools fail, and has each failure named.
func TestDiagnose(t *testing.T) {
	prepare(t)
	need(t, "doas")
	nobody := transport.Setpriv{User: "nobody", Group: "nogroup"}
	noFile, noRun := "/no/such/app", "/etc/passwd"
	mount := transport.Namespaces{Mount: true}
	for _, c := range []struct {
		via    transport.Transport // the last hop is the one that fails
		argv   string
		reason string
	}{
		{transport.Su{User: "no-such-user"}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Su{Group: "no-such-group"}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Su{}, noFile, transport.ReasonNotFound},
		{transport.Sudo{User: "nobody", Login: true}, "/bin/true", transport.ReasonNoLogin},
		{transport.Su{User: st.User}, noRun, transport.ReasonNotRunnable},
		{transport.Chain{transport.Setpriv{User: st.User, Group: st.User, NoNewPrivs: true}, transport.Su{}}, "/bin/true", transport.ReasonNoPrivilege},
		{transport.Chain{nobody, transport.Su{Group: "adm"}}, "/bin/true", transport.ReasonNotAllowed},
		{transport.Chain{nobody, transport.Doas{}}, "/bin/true", transport.ReasonNotAllowed},
		{transport.Chain{asUser(), transport.Doas{User: "no-such-user"}}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Chain{asUser(), transport.Doas{}}, noFile, transport.ReasonNotFound},
		{transport.Chain{asUser(), transport.Doas{}}, noRun, transport.ReasonNotRunnable},
		{transport.Chain{transport.Setpriv{User: st.User, Group: st.User, NoNewPrivs: true}, transport.Doas{}}, "/bin/true", transport.ReasonNoPrivilege},
		{transport.Runuser{User: "no-such-user"}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Runuser{User: "nobody", Group: "no-such-group"}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Runuser{User: "nobody"}, noFile, transport.ReasonNotFound},
		{transport.Runuser{User: "nobody"}, noRun, transport.ReasonNotRunnable},
		{transport.Chain{nobody, transport.Runuser{User: "root"}}, "/bin/true", transport.ReasonNotAllowed},
		{transport.Setpriv{User: "no-such-user", Group: "root"}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Setpriv{User: "nobody", Group: "no-such-group"}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Setpriv{NoNewPrivs: true}, noFile, transport.ReasonNotFound},
		{transport.Setpriv{NoNewPrivs: true}, noRun, transport.ReasonNotRunnable},
		{transport.Chain{transport.Runuser{User: "nobody"}, transport.Setpriv{User: "root", Group: "#0"}}, "/bin/true", transport.ReasonNotAllowed},
		{transport.Chain{transport.Setpriv{NoNewPrivs: true}, transport.Chroot{Dir: "/no/such"}}, "/bin/true", transport.ReasonDirectory},
		{transport.Chain{nobody, transport.Chroot{Dir: "/"}}, "/bin/true", transport.ReasonNotAllowed},
		{transport.Chroot{Dir: "/", User: "no-such-user"}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Chroot{Dir: "/", User: "nobody", Group: "no-such-group"}, "/bin/true", transport.ReasonUnknownUser},
		{transport.Chroot{Dir: "/"}, noFile, transport.ReasonNotFound},
		{transport.Chroot{Dir: "/"}, noRun, transport.ReasonNotRunnable},
		{transport.Chain{nobody, transport.Unshare{Namespaces: mount}}, "/bin/true", transport.ReasonNoPrivilege},
		{transport.Unshare{Namespaces: mount}, noFile, transport.ReasonNotFound},
		{transport.Nsenter{Target: 1 << 21, Namespaces: mount}, "/bin/true", transport.ReasonUnknownHost},
		{transport.Chain{nobody, transport.Nsenter{Target: os.Getpid(), Namespaces: mount}}, "/bin/true", transport.ReasonNotAllowed},
		{transport.Nsenter{Target: os.Getpid(), Namespaces: mount}, noFile, transport.ReasonNotFound},
	} {
		argv, err := transport.Build(c.via, []string{c.argv})
		must(t, err)
		exit := outcome(t, argv)
		hops := transport.Hops(c.via)
		got := transport.Diagnose(c.via, exit)
		if want := hops[len(hops)-1].String(); got.Reason != c.reason || got.Hop != want || got.Advice == "" || exit.Code == 0 {
			t.Errorf("%s %s: %+v gave %+v, want %q of %s", c.via, c.argv, exit, got, c.reason, want)
		}
	}
}

// TestWhatIsSaidInsteadOfAWorker: nologin gives its reason on stdout, and so do many restricted shells.
func TestWhatIsSaidInsteadOfAWorker(t *testing.T) {
	need(t, "/usr/sbin/nologin")
	for _, c := range []struct {
		words []string
		want  string
	}{
		{[]string{"/usr/sbin/nologin"}, `it printed "This account is currently not available."`},
		{[]string{"/bin/sh", "-c", `printf 'welcome\n\033[31mclosed\n\n'; exit 3`}, `exit status 3; no worker answered; it printed "\x1b[31mclosed"`},
		{[]string{"/bin/sh", "-c", `yes | head -c 100000; exit 0`}, `no worker answered; it printed "y"`},
		{[]string{"/bin/sh", "-c", `exit 3`}, "no worker answered"},
	} {
		_, err := whoami.On(delivery.Once{Via: transport.Command{Prefix: c.words}})(os.Getpid())
		if err == nil || !strings.HasSuffix(err.Error(), c.want) {
			t.Errorf("%q: %v", c.words, err)
		}
	}
}

// outcome runs argv, without stdin, in English, and says how it ended.
func outcome(t *testing.T, argv []string) transport.Exit {
	t.Helper()
	cmd := exec.CommandContext(limited(t), argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := cmd.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return transport.Exit{Code: cmd.ProcessState.ExitCode(), Stdout: stdout.String(), Stderr: stderr.String()}
}

// TestSuAsks: whom PAM does not trust, su asks; the worker's stdin is no answer, the call fails, and nothing runs.
func TestSuAsks(t *testing.T) {
	prepare(t)
	text, err := os.ReadFile(pamSu)
	must(t, err)
	strict := strings.TrimPrefix(string(text), trust)
	must(t, os.WriteFile(pamSu, []byte(strict), 0o644))
	t.Cleanup(func() { must(t, os.WriteFile(pamSu, text, 0o644)) })
	_, err = whoami.On(delivery.Once{Via: transport.Chain{asUser(), transport.Su{}}})(os.Getpid())
	var lost *box.DeliveryError
	if !errors.As(err, &lost) || lost.Fate != box.NotStarted || lost.Hop != "su" || !strings.Contains(err.Error(), transport.ReasonPassword) {
		t.Errorf("got %+v", err)
	}
}

var (
	die  = registry.Register("transports.die", func(sig int) error { return syscall.Kill(os.Getpid(), syscall.Signal(sig)) })
	exit = registry.Register("transports.exit", func(_ context.Context, code int) error { os.Exit(code); return nil })
)

// TestEnds: how the worker ended is told, whatever the tools in between make of it.
func TestEnds(t *testing.T) {
	overAll(t, func(t *testing.T, w way) {
		if _, ok := w.via.(transport.Template); ok {
			t.Skip("nobody knows what another tool makes of a signal")
		}
		c := delivery.Once{Via: w.via, AnyBuild: w.anyBuild}
		var remote *box.RemoteError
		if err := exit.On(c)(limited(t), 7); !errors.As(err, &remote) || remote.Kind != box.Exited || remote.Code != 7 {
			t.Errorf("exit 7: %+v", err)
		}
		if err := die.On(c)(int(syscall.SIGKILL)); !errors.As(err, &remote) || remote.Kind != box.Killed ||
			remote.Signal != "SIGKILL" && (remote.Signal != "" || !throughSSH(w.via)) {
			t.Errorf("SIGKILL: %v, %+v", err, remote)
		}
	})
}

// throughSSH is where a signal has no name: ssh says only that there was one.
func throughSSH(via transport.Transport) bool {
	return slices.ContainsFunc(transport.Hops(via), func(hop transport.Transport) bool { _, ok := hop.(transport.SSH); return ok })
}
