package transport_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
)

// payloads are values that would run a program if they reached ssh, sudo or a shell unchecked. M is a marker file.
func payloads(marker string) []string {
	forms := []string{
		"-oProxyCommand=touch M", "-oProxyCommand=touch${IFS}M", "-o ProxyCommand=touch M", "--oProxyCommand=touch M",
		"-F/tmp/x", "-E M", "-EM", "-v", "-V", "-", "--", "-l", "-lroot", "-p 22 host", "-W h:1", "-D 1080", "-L1:h:1", "-J-oX",
		"-oLocalCommand=touch M", "-oPermitLocalCommand=yes", "-oKnownHostsCommand=/bin/touch M", "-I/tmp/x.so",
		"-oPKCS11Provider=/tmp/x.so", "-S M", "-OMexit", "-i M", "-Q cipher", "-w any", "-G",
		";touch M", "x;touch M", "x&touch M&", "x|touch M", "x`touch M`", "$(touch M)", "x$(touch M)", "x\ntouch M", "x\rtouch M",
		"'; touch M; '", `"; touch M; "`, `\`, `x\`, "x'", `x"`, "x >M", "x<M", "(touch M)", "{touch,M}", "x y", " x", "x ",
		"x\t", "x\x00", "", "~", "~root", "*", "?", "x,y", "x=y", "[-oProxyCommand=x]", "[::1]%$(touch M)", "::1%$(touch M)",
		"%h", "%%", "x@-oProxyCommand=x", "-oProxyCommand=x@y", "../../x", "host/../x", "ssh://x", "x#y", "x!y", "éx", "\u202ex",
	}
	for i, form := range forms {
		forms[i] = strings.ReplaceAll(form, "M", marker)
	}
	return forms
}

// spy writes a program that stands in for ssh or sudo and only leaves the marker.
func spy(t *testing.T) (program, marker string) {
	t.Helper()
	program = filepath.Join(t.TempDir(), "spy")
	return program, plant(t, program)
}

// start builds via and runs it if that is allowed, as a caller would.
func start(via transport.Transport) error {
	argv, err := transport.Build(via, []string{"/bin/true"})
	if err != nil {
		return err
	}
	return exec.Command(argv[0], argv[1:]...).Run()
}

func TestInjection(t *testing.T) {
	needRoot(t)
	program, marker := spy(t)
	if err := start(transport.SSH{Host: "ok", NoShare: true, Program: program}); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(marker); err != nil {
		t.Fatal("the spy does not work") // so the test can fail
	}
	if err := os.Remove(marker); err != nil {
		t.Fatal(err)
	}
	list := payloads(marker)
	if len(list) < 41 {
		t.Fatalf("only %d payloads", len(list))
	}
	for _, p := range list {
		fields := map[string]transport.Transport{"host": transport.SSH{Host: p, NoShare: true, Program: program}}
		if p != "" { // an empty field is the default
			fields["ssh user"] = transport.SSH{Host: "h", User: p, NoShare: true, Program: program}
			fields["jump"] = transport.SSH{Host: "h", Jump: p, NoShare: true, Program: program}
			fields["option"] = transport.SSH{Host: "h", Options: []string{p}, NoShare: true, Program: program}
			fields["sudo user"] = transport.Sudo{User: p, Program: program}
			fields["group"] = transport.Sudo{Group: p, Program: program}
			fields["variable"] = transport.Sudo{PreserveEnv: []string{p}, Program: program}
			fields["directory"] = transport.Sudo{Dir: p, Program: program}
		}
		for name, via := range moreFields(p, program) {
			fields[name] = via
		}
		if p == "x=y" || p == "x,y" {
			delete(fields, "option")   // a setting that ssh does not know
			delete(fields, "jump")     // two hosts
			delete(fields, "variable") // two variables, as text
		}
		for field, via := range fields {
			if err := start(via); err == nil {
				t.Errorf("%s %q was accepted", field, p)
			}
			if spec, err := transport.Parse(via.String()); err == nil {
				t.Errorf("%s %q: the text %q was read as %+v", field, p, via, spec)
			}
		}
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("ssh or sudo was started")
	}
}

// moreFields has a payload in each field of the other transports that names something.
func moreFields(p, program string) map[string]transport.Transport {
	fields := map[string]transport.Transport{
		"runuser user": transport.Runuser{User: p, Program: program}, "chroot": transport.Chroot{Dir: p, Program: program},
		"jail": transport.Jexec{Jail: p, Program: program}, "container": transport.Docker{Container: p, Program: program},
		"image": transport.DockerRun{Image: p, Program: program}, "podman": transport.Podman{Container: p, Program: program},
		"nerdctl": transport.Nerdctl{Container: p, Program: program}, "pod": transport.Kubectl{Pod: p, Program: program},
		"lxc": transport.LXC{Instance: p, Program: program}, "incus": transport.Incus{Instance: p, Program: program},
		"lxc-attach": transport.LXCAttach{Container: p, Program: program},
		"machine":    transport.Machinectl{Machine: p, Program: program},
		"volume":     transport.DockerRun{Image: "i", Volumes: []string{p}, Program: program},
		"property":   transport.SystemdRun{Properties: []string{p}, Program: program},
	}
	if p == "x=y" {
		delete(fields, "property") // a setting that systemd does not know
	}
	if p == "" { // which is the default of all others, and not written for these
		delete(fields, "volume")
		delete(fields, "property")
		return fields
	}
	if p == "x,y" { // two groups, as text
		p = "x;y"
	}
	for name, via := range map[string]transport.Transport{
		"su user": transport.Su{User: p, Program: program}, "su group": transport.Su{Group: p, Program: program},
		"doas user": transport.Doas{User: p, Program: program}, "runuser group": transport.Runuser{User: "u", Group: p, Program: program},
		"setpriv user": transport.Setpriv{User: p, Group: "g", Program: program}, "setpriv group": transport.Setpriv{Group: p, Program: program},
		"setpriv groups": transport.Setpriv{Groups: []string{p}, Program: program}, "pkexec user": transport.Pkexec{User: p, Program: program},
		"run0 user": transport.Run0{User: p, Program: program}, "run0 group": transport.Run0{Group: p, Program: program},
		"run0 machine": transport.Run0{Machine: p, Program: program}, "systemd-run user": transport.SystemdRun{User: p, Program: program},
		"systemd-run group":   transport.SystemdRun{Group: p, Program: program},
		"systemd-run machine": transport.SystemdRun{Machine: p, Program: program},
		"chroot user":         transport.Chroot{Dir: "/", User: p, Program: program}, "chroot group": transport.Chroot{Dir: "/", Group: p, Program: program},
		"jexec user":  transport.Jexec{Jail: "j", User: p, Program: program},
		"docker user": transport.Docker{Container: "c", User: p, Program: program}, "docker context": transport.Docker{Container: "c", Context: p, Program: program},
		"network":           transport.DockerRun{Image: "i", Network: p, Program: program},
		"podman connection": transport.Podman{Container: "c", Connection: p, Program: program},
		"nerdctl namespace": transport.Nerdctl{Container: "c", Namespace: p, Program: program},
		"kubectl namespace": transport.Kubectl{Pod: "p", Namespace: p, Program: program},
		"kubectl container": transport.Kubectl{Pod: "p", Container: p, Program: program},
		"kubectl context":   transport.Kubectl{Pod: "p", Context: p, Program: program},
		"kubeconfig":        transport.Kubectl{Pod: "p", Config: p, Program: program},
		"project":           transport.LXC{Instance: "i", Project: p, Program: program},
		"machinectl user":   transport.Machinectl{Machine: "m", User: p, Program: program},
		"vagrant":           transport.Vagrant{Machine: p, Program: program}, "queue": transport.BSub{Queue: p, Program: program},
		"bsub node": transport.BSub{Host: p, Program: program}, "srun node": transport.SRun{Node: p, Program: program},
		"partition": transport.SRun{Partition: p, Program: program},
	} {
		fields[name] = via
	}
	return fields
}

// TestInjectionRealSSH gives the same payloads to the real ssh, as text.
func TestInjectionRealSSH(t *testing.T) {
	need(t, "ssh")
	marker := filepath.Join(t.TempDir(), "ran")
	for _, p := range payloads(marker) {
		spec, err := transport.Parse("ssh=" + p + "//no_share//connect_timeout=1s")
		if err != nil {
			continue
		}
		t.Errorf("%q was read as %s", p, spec)
		start(spec.Via)
	}
	if _, err := os.Stat(marker); err == nil {
		t.Error("a payload ran")
	}
}

// TestSSHReadsArgv asks the real ssh what it understood (-G prints its settings and connects nowhere).
func TestSSHReadsArgv(t *testing.T) {
	need(t, "ssh")
	t.Setenv("XDG_RUNTIME_DIR", privateDir(t))
	t.Setenv("HOME", "/home/me")
	settings := func(via transport.Transport) string {
		t.Helper()
		argv, err := transport.Build(via, []string{"/bin/true"})
		if err != nil {
			t.Fatal(err)
		}
		if argv[0] != "/usr/bin/ssh" {
			argv = argv[3:] // sudo -n --
		}
		out, err := exec.Command(argv[0], append([]string{"-G"}, argv[1:]...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return "\n" + string(out)
	}
	full := transport.SSH{Host: "fe80::1%eth0", User: "bob", Port: 2222, ConfigFile: "none", Jump: "u@gate:22,[::1]",
		Identity: "~/a b%c", KnownHosts: "/etc/known hosts%d", Options: []string{"ServerAliveInterval=3", "Compression=yes"}}
	got := settings(full)
	for _, want := range []string{
		"user bob", "port 2222", "hostname fe80::1%eth0", "batchmode yes", "requesttty false", "controlmaster auto",
		"controlpersist 60", "connecttimeout 10", "serveralivecountmax 3", "serveraliveinterval 3", "compression yes",
		"identityfile /home/me/a b%%c", "identitiesonly yes", "userknownhostsfile /etc/known hosts%d",
		"proxyjump u@gate:22,[::1]",
	} {
		if !strings.Contains(got, "\n"+want+"\n") {
			t.Errorf("ssh did not understand %q in:%s", want, got)
		}
	}
	if strings.Contains(got, "\nstricthostkeychecking no") || strings.Contains(got, "\nremotecommand") {
		t.Errorf("unexpected settings in:%s", got)
	}
	if os.Geteuid() != 0 {
		return
	}
	full.Jump = ""
	far := settings(transport.Chain{transport.Sudo{}, full})
	for _, want := range []string{"identityfile ~/a b%%c", "controlmaster false"} {
		if !strings.Contains(far, "\n"+want+"\n") {
			t.Errorf("behind sudo ssh did not understand %q in:%s", want, far)
		}
	}
}
