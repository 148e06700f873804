package transport

import (
	"fmt"
	"strings"
)

// DockerRun starts the worker as the first process of a fresh container, through docker run, and removes the container
// when the worker has ended. podman and nerdctl understand the same options; name one of them in Program.
//
// The worker's program must be in the image, or come with Volumes: "/opt/app:/opt/app:ro". What the image would run
// by itself, its entry point, is not run.
type DockerRun struct {
	// Image is its name or id, such as "alpine:3.20" or "registry.example.org/team/app@sha256:…". Required.
	Image string
	// User is who the worker runs as, "user" or "user:group", names that the image knows or numbers; empty means as it says.
	User string
	// Volumes are "HERE:THERE", "HERE:THERE:ro" or "HERE:THERE:rw": files and directories of the daemon's machine, absolute
	// paths both.
	Volumes []string
	// Network is the name of one, "none" or "host"; empty leaves the choice to docker.
	Network string
	// Pull lets docker download an image that is missing. By default that is an error.
	Pull bool
	// Context is another docker context than the current one; DOCKER_HOST counts otherwise.
	Context string
	// Program is another docker: an absolute path, or a name that Build looks up; empty means "docker".
	Program string
}

// Command returns docker run -i --rm, its options, argv[0] as the entry point, "--", the image and the rest of argv.
func (d DockerRun) Command(argv []string) ([]string, error) {
	if err := checkAll(d.check(), checkArgv(argv), checkUTF8("docker", argv)); err != nil {
		return nil, err
	}
	out := appendSet([]string{programOr(d.Program, "docker")}, [2]string{"--context", d.Context})
	pull := "never"
	if d.Pull {
		pull = "missing"
	}
	out = appendSet(append(out, "run", "-i", "--rm"), [2]string{"--pull", pull}, [2]string{"--network", d.Network},
		[2]string{"--user", d.User})
	for _, volume := range d.Volumes {
		out = append(out, "--volume="+volume)
	}
	return append(append(out, "--entrypoint="+argv[0], "--", d.Image), argv[1:]...), nil
}

// String is the spec form, such as "docker_run=alpine:3.20//volume=/opt/app:/opt/app:ro".
func (d DockerRun) String() string {
	t := segments{}
	t.add("docker_run", d.Image)
	t.text("user", d.User)
	for _, volume := range d.Volumes {
		t.text("volume", volume)
	}
	t.text("network", d.Network)
	t.flag("pull", d.Pull)
	t.text("context", d.Context)
	t.text("program", d.Program)
	return t.join()
}

func (d DockerRun) check() error {
	for _, volume := range d.Volumes {
		if err := checkVolume(volume); err != nil {
			return err
		}
	}
	return checkAll(checkImage("docker image", d.Image), checkUserGroupOr("docker", d.User),
		checkWordOr("docker network", d.Network, containerBytes, maxWord),
		checkWordOr("docker context", d.Context, contextBytes, maxWord), checkProgram("docker program", d.Program))
}

const maxImage = 512 // bytes: 255 of name, 128 of tag, a digest

func checkImage(what, image string) error {
	if err := checkWord(what, image, "_./:@-", maxImage); err != nil {
		return err
	}
	for _, part := range []string{"//", "..", "::", "@@"} {
		if i := strings.Index(image, part); i >= 0 {
			return invalid(what, image, fmt.Sprintf("%q at %d is not allowed; write [host[:port]/]name[:tag][@digest]", part, i))
		}
	}
	return nil
}

// checkVolume checks "HERE:THERE[:ro|:rw]". Neither path may have a colon, which docker would take for the end of it.
func checkVolume(volume string) error {
	const what = "docker volume"
	parts := strings.Split(volume, ":")
	if len(parts) < 2 || len(parts) > 3 {
		return invalid(what, volume, "must be HERE:THERE, HERE:THERE:ro or HERE:THERE:rw")
	}
	for _, path := range parts[:2] {
		if err := checkAbsolute(what, path); err != nil {
			return err
		}
	}
	if len(parts) == 3 && parts[2] != "ro" && parts[2] != "rw" {
		return invalid(what, volume, fmt.Sprintf("%q is neither ro nor rw", parts[2]))
	}
	return nil
}

func (d DockerRun) facts() facts { return facts{gains: true, codes: true} }

var dockerRunKind = kind{
	name:  "docker_run",
	begin: func(v string) (Transport, error) { return DockerRun{Image: v}, nil },
	options: []option{
		textOption("user", func(d *DockerRun) *string { return &d.User }),
		eachOption("volume", func(d *DockerRun) *[]string { return &d.Volumes }),
		textOption("network", func(d *DockerRun) *string { return &d.Network }),
		flagOption("pull", func(d *DockerRun) *bool { return &d.Pull }),
		textOption("context", func(d *DockerRun) *string { return &d.Context }),
		textOption("program", func(d *DockerRun) *string { return &d.Program }),
	},
}
