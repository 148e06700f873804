package docker

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/rootfs"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// Who is who runs a function, and whether this same program watches over it.
type Who struct {
	UID, GID, PID int
	Host          string
	Guarded       bool
}

var (
	whoami = registry.Register("docker.whoami", func() (w Who, err error) {
		w = Who{UID: os.Getuid(), GID: os.Getgid(), PID: os.Getpid()}
		status, err := os.ReadFile("/proc/self/stat")
		if err != nil {
			return w, err
		}
		parent := strings.Fields(string(status))[3]
		argv, err := os.ReadFile("/proc/" + parent + "/cmdline")
		w.Guarded = err == nil && strings.HasPrefix(string(argv), program+"\x00__deliver")
		w.Host, err = os.Hostname()
		return w, err
	})
	die = registry.Register("docker.die", func(sig int) error { return syscall.Kill(os.Getpid(), syscall.Signal(sig)) })
)

// A way is a transport that ends in a container with a shell, and what is expected there.
type way struct {
	name  string
	via   transport.Transport
	uid   int
	alike bool // is to another one of these as regards the suite, which runs it only at full size
}

func ways(t *testing.T) []way {
	into(t)
	exec := transport.Docker{Container: shelled}
	far := transport.Docker{Container: shelled, Program: dockerFile(t)}
	all := []way{
		{name: "exec", via: exec},
		{name: "exec as user", via: transport.Docker{Container: shelled, User: "www"}, uid: 33, alike: true},
		{name: "exec as numbers", via: transport.Docker{Container: shelled, User: "34:35"}, uid: 34, alike: true},
		{name: "run", via: transport.DockerRun{Image: shelled, Network: "none"}, alike: true},
		{name: "run as user", via: transport.DockerRun{Image: shelled, User: "www", Network: "none"}, uid: 33, alike: true},
		{name: "run from outside", via: fromOutside(t), alike: true},
		{name: "docker, su", via: transport.Chain{exec, transport.Su{User: "www"}}, uid: 33},
	}
	if os.Geteuid() == 0 {
		ssh := startSSHD(t)
		all = append(all, way{name: "sudo, docker", via: transport.Chain{transport.Sudo{}, far}, alike: true},
			way{name: "ssh, sudo, docker", via: transport.Chain{ssh, transport.Sudo{}, far}, alike: true},
			way{name: "ssh, docker, su", via: transport.Chain{ssh, far, transport.Su{User: "www"}}, uid: 33, alike: true})
	}
	return all
}

// fromOutside brings the program, and what it needs if it is not static, into an image with nothing but a shell.
func fromOutside(t *testing.T) transport.DockerRun {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	via := transport.DockerRun{Image: onlyShell, Network: "none", Volumes: []string{exe + ":" + program + ":ro"}}
	for _, library := range rootfs.Libraries(exe) {
		via.Volumes = append(via.Volumes, library+":"+library+":ro")
	}
	return via
}

// dockerFile is where docker is, which behind another hop nobody looks for.
func dockerFile(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("docker")
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func TestArgv(t *testing.T) {
	for _, w := range ways(t) {
		if w.name == "run from outside" {
			continue // there is no cat
		}
		t.Run(w.name, func(t *testing.T) { transporttest.Run(t, w.via, transporttest.Local) })
	}
}

func TestWho(t *testing.T) {
	for _, w := range ways(t) {
		t.Run(w.name, func(t *testing.T) {
			c := delivery.Once{Via: w.via, Program: program}
			got, err := whoami.On(c)()
			if err != nil {
				t.Fatalf("%+v", err)
			}
			here, _ := os.Hostname()
			if got.UID != w.uid || !got.Guarded || got.Host == here {
				t.Errorf("ran as %+v, want uid %d, guarded, on another host", got, w.uid)
			}
			var remote *box.RemoteError
			err = die.On(c)(int(syscall.SIGKILL))
			if !errors.As(err, &remote) || remote.Kind != box.Killed || remote.Signal != "SIGKILL" && !strings.HasPrefix(w.name, "ssh") {
				t.Errorf("SIGKILL: %+v", err)
			}
		})
	}
}

func TestConformance(t *testing.T) {
	for _, w := range ways(t) {
		full := os.Getenv("DOCKER_FULL") == "1"
		t.Run("session/"+w.name, func(t *testing.T) {
			if w.alike && !full {
				t.Skip("as another one of these; DOCKER_FULL=1 runs it")
			}
			couriertest.Run(t, func(t *testing.T) box.Courier {
				s, err := delivery.Open(t.Context(), w.via, session.Options{Program: program})
				if err != nil {
					t.Fatalf("%+v", err)
				}
				t.Cleanup(func() {
					if err := s.Close(); err != nil {
						t.Errorf("close: %v", err)
					}
				})
				return s
			})
		})
		t.Run("once/"+w.name, func(t *testing.T) {
			if !full {
				t.Skip("each call is a docker exec; DOCKER_FULL=1 runs it")
			}
			couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: w.via, Program: program} })
		})
	}
}
