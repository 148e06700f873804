package docker

import (
	"os"
	"os/exec"
	"testing"

	"github.com/seed354a1416/deliveryboy/tests/rootfs"
	"github.com/seed354a1416/deliveryboy/tests/sshd"
	"github.com/seed354a1416/deliveryboy/tests/ways"
	"github.com/seed354a1416/deliveryboy/transport"
)

// place says which ways there are into containers.
func place(t *testing.T) ways.Place {
	t.Helper()
	into(t)
	plain := transport.Docker{Container: shelled}
	far := transport.Docker{Container: shelled, Program: dockerFile(t)}
	all := []ways.Way{
		{Name: "exec", Via: plain, Suite: true},
		{Name: "exec as user", Via: transport.Docker{Container: shelled, User: "www"}, UID: 33, GID: 33},
		{Name: "exec as numbers", Via: transport.Docker{Container: shelled, User: "34:35"}, UID: 34, GID: 35},
		{Name: "run", Via: transport.DockerRun{Image: shelled, Network: "none"}},
		{Name: "run as user", Via: transport.DockerRun{Image: shelled, User: "www", Network: "none"}, UID: 33, GID: 33},
		{Name: "run from outside", Via: fromOutside(t), NoTools: true},
		{Name: "docker, su", Via: transport.Chain{plain, transport.Su{User: "www"}}, UID: 33, GID: 33, Suite: true},
	}
	if os.Geteuid() == 0 {
		if _, err := exec.LookPath("sudo"); err != nil {
			ways.Need(t, "sudo", err.Error())
		}
		ssh := sshd.Start(t, "docker.sock").Via
		all = append(all, ways.Way{Name: "sudo, docker", Via: transport.Chain{transport.Sudo{}, far}},
			ways.Way{Name: "ssh, sudo, docker", Via: transport.Chain{ssh, transport.Sudo{}, far}, Unnamed: true},
			ways.Way{Name: "ssh, docker, su", Via: transport.Chain{ssh, far, transport.Su{User: "www"}}, UID: 33, GID: 33, Unnamed: true})
	}
	return ways.Place{Program: program, Host: true, Full: os.Getenv("DOCKER_FULL") == "1", Ways: all}
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

func TestArgv(t *testing.T) { place(t).Argv(t) }

func TestWho(t *testing.T) { place(t).Who(t) }

func TestConformance(t *testing.T) { place(t).Conformance(t) }
