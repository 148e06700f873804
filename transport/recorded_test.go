package transport_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// played runs a transport whose tool is not here as the tool's manual says that it would: what stands in the place of a
// worker "/marker" is run, by a shell where it was quoted for one. So argv is known to survive the transport's own quoting.
func played(t *testing.T, via transport.Transport, argv []string) *exec.Cmd {
	t.Helper()
	shape, err := via.Command([]string{"/marker"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := via.Command(argv)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(shape, func(word string) bool { return strings.Contains(word, "/marker") })
	switch word := shape[i]; {
	case word == "/marker" && len(out) >= len(argv)+i && slices.Equal(shape[:i], out[:i]):
		return exec.Command(undoubled(via, out[i]), undoubledAll(via, out[i+1:])...)
	case word == "--entrypoint=/marker":
		image := slices.Index(out, "--") + 2
		return exec.Command(strings.TrimPrefix(out[i], "--entrypoint="), out[image:]...)
	}
	t.Fatalf("where is the worker in %q?", shape)
	return nil
}

// quoted is played for tools that hand one word to a shell.
func quoted(t *testing.T, via transport.Transport, argv []string) *exec.Cmd {
	t.Helper()
	shape, err := via.Command([]string{"/marker"})
	if err != nil {
		t.Fatal(err)
	}
	out, err := via.Command(argv)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(shape, func(word string) bool { return strings.Contains(word, "/marker") })
	return exec.Command("/bin/sh", "-c", out[i])
}

// undoubled does what systemd does with "$$".
func undoubled(via transport.Transport, word string) string {
	if key, _, _ := strings.Cut(via.String(), "="); key == "systemd_run" || key == "machinectl" {
		return strings.ReplaceAll(word, "$$", "$")
	}
	return word
}

func undoubledAll(via transport.Transport, words []string) []string {
	out := make([]string, len(words))
	for i, word := range words {
		out[i] = undoubled(via, word)
	}
	return out
}

// TestRecorded holds the transports whose tools do not run here to the same suite. Those that do run are in tests/transports
// and tests/docker.
func TestRecorded(t *testing.T) {
	for text, run := range map[string]transporttest.Runner{
		"pkexec=www": played, "run0=www//machine=m": played, "systemd_run=www//machine=m//property=Nice=5": played,
		"jexec=1//user=www": played, "docker=c": played, "docker_run=i//network=none//volume=/a:/b:ro": played,
		"podman=c//connection=x": played, "nerdctl=c//namespace=n": played,
		"kubectl=deploy/web//namespace=n//container=c//context=x": played, "lxc=r:c1//uid=33//project=p": played,
		"incus=c1//uid=33": played, "lxc_attach=c1": played, "machinectl=m//user=www": played,
		"template=crictl exec -i c '{argv}'//text": played, "template=sh -c 'exec {command}'": quoted,
		"su=www//login": quoted, "vagrant=web": quoted, "bsub//queue=q": quoted, "doas=www": played, "runuser=www": played,
		"setpriv=www//group=www//no_caps": played, "newroot=/jail//user=www": played, "unshare=pid,user": played,
		"nsenter=1//namespaces=mount": played,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			spec, err := transport.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			transporttest.Run(t, spec.Via, run)
		})
	}
}

// TestSRunColon: srun takes a word ":" for the beginning of another job, wherever it stands.
func TestSRunColon(t *testing.T) {
	got, err := transport.SRun{}.Command([]string{"/app", "a b", ":", "--chdir=/", "/bin/id"})
	want := []string{"srun", "--unbuffered", "--input=all", "--output=all", "--error=all", "--nodes=1", "--ntasks=1", "--", "/bin/sh", "-c", `exec /app 'a b' : --chdir=/ /bin/id`}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v; want %q", got, err, want)
	}
}
