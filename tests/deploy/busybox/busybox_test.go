// Package busybox tests that the program comes along to containers that hold nothing but busybox. The images are made here,
// of Debian's busybox-static; none is pulled.
package busybox

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/rootfs"
	"github.com/seed354a1416/deliveryboy/transport"
)

var exe = registry.Register("exe", func() (string, error) { return os.Readlink("/proc/self/exe") })

// image is the name of the image that all tests use; empty if there is none, and missing says why.
var image, missing string

func TestMain(m *testing.M) {
	delivery.Main()
	os.Exit(withImage(m))
}

func withImage(m *testing.M) int {
	name := fmt.Sprintf("deliveryboy-busybox-%d", os.Getpid())
	defer func() { _ = docker(nil, "rmi", "-f", name) }()
	if err := makeImage(name); err != nil {
		missing = err.Error()
		fmt.Fprintln(os.Stderr, "NOT TESTED, no containers:", missing)
	} else {
		image = name
	}
	return m.Run()
}

func makeImage(name string) error {
	path, err := exec.LookPath("busybox")
	if err != nil {
		return fmt.Errorf("%w; Debian's package is busybox-static", err)
	}
	if err := docker(nil, "version"); err != nil {
		return err
	}
	var content bytes.Buffer
	if err := writeImage(&content, path); err != nil {
		return err
	}
	return docker(&content, "import", "-", name)
}

func docker(stdin io.Reader, args ...string) error { return rootfs.Engine("docker", stdin, args...) }

// writeImage writes a root file system: busybox under the names that it knows, and the libraries of this test if it has any,
// because the race detector does not do without.
func writeImage(w io.Writer, busybox string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	applets, err := exec.Command(busybox, "--list").Output()
	if err != nil {
		return err
	}
	image := tar.NewWriter(w)
	for _, dir := range []string{"root/", "tmp/", "proc/", "dev/"} {
		if err := image.WriteHeader(&tar.Header{Name: dir, Typeflag: tar.TypeDir, Mode: 0o1777}); err != nil {
			return err
		}
	}
	for _, name := range strings.Fields(string(applets)) {
		if name == "busybox" {
			continue
		}
		if err := image.WriteHeader(&tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777}); err != nil {
			return err
		}
	}
	err = writeFile(image, "etc/passwd", []byte("root:x:0:0::/root:/bin/sh\n"))
	return errors.Join(err, copyFile(image, "bin/busybox", busybox), copyLibraries(image, busybox), copyLibraries(image, self), image.Close())
}

func copyLibraries(image *tar.Writer, program string) error {
	out, _ := exec.Command("ldd", program).Output() // fails for a static one
	for _, word := range strings.Fields(string(out)) {
		if !strings.HasPrefix(word, "/") {
			continue
		}
		if err := copyFile(image, strings.TrimPrefix(word, "/"), word); err != nil {
			return err
		}
	}
	return nil
}

func copyFile(image *tar.Writer, name, from string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return writeFile(image, name, data)
}

func writeFile(image *tar.Writer, name string, data []byte) error {
	if err := image.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}); err != nil {
		return err
	}
	_, err := image.Write(data)
	return err
}

// container starts one with these options, and returns the way into it; the test is skipped where there are none, and fails
// in CI.
func container(t *testing.T, options ...string) transport.Transport {
	t.Helper()
	if image == "" {
		if os.Getenv("CI") != "" {
			t.Fatal("no containers: ", missing)
		}
		t.Skip("NOT TESTED, no containers: ", missing)
	}
	name := fmt.Sprintf("%s-%s", image, strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-")))
	args := append([]string{"run", "--detach", "--network", "none", "--name", name}, options...)
	if err := docker(nil, append(args, image, "/bin/sleep", "1000")...); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docker(nil, "rm", "-f", name) })
	return transport.Command{Prefix: []string{"/usr/bin/env", "docker", "exec", "-i", name}}
}

// call opens a session, and says where the program runs and how it came there.
func call(t *testing.T, via transport.Transport, o deploy.Options) (string, deploy.Result) {
	t.Helper()
	o.On = true
	s, err := delivery.Open(t.Context(), via, session.Options{Deploy: o})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	path, err := exe.On(s)()
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatalf("%+v", err)
	}
	return path, s.Deployed()
}

func TestBringOnceThenFind(t *testing.T) {
	for name, c := range map[string]struct {
		options []string
		want    string
	}{
		"root":      {nil, "/root/.cache/deliveryboy/bin/"},
		"user":      {[]string{"--user", "4242"}, "/tmp/deliveryboy-bin-4242/"}, // its home is /, and docker's own /dev/shm is noexec
		"read-only": {[]string{"--read-only", "--tmpfs", "/dev/shm:exec"}, "/dev/shm/deliveryboy-bin-0/"},
		"in tmp":    {[]string{"--read-only", "--tmpfs", "/tmp:exec"}, "/tmp/deliveryboy-bin-0/"},
	} {
		t.Run(name, func(t *testing.T) {
			via := container(t, c.options...)
			for _, pushed := range []bool{true, false} {
				path, r := call(t, via, deploy.Options{})
				if r.Pushed != pushed || path != r.Path || !strings.HasPrefix(path, c.want) {
					t.Errorf("%q %+v", path, r)
				}
			}
			path, r := call(t, via, deploy.Options{})
			if r.Pushed || path != r.Path {
				t.Errorf("%q %+v", path, r)
			}
		})
	}
}

func TestNothingIsKept(t *testing.T) {
	via := container(t, "--tmpfs", "/tmp:exec")
	for range 2 {
		if path, r := call(t, via, deploy.Options{KeepNothing: true}); !r.Pushed || !strings.HasSuffix(path, " (deleted)") {
			t.Errorf("%q %+v", path, r)
		}
	}
}

func TestNoPlaceAtAll(t *testing.T) {
	via := container(t, "--read-only", "--tmpfs", "/tmp:noexec", "--tmpfs", "/dev/shm:exec,size=1m")
	_, err := delivery.Open(t.Context(), via, session.Options{Deploy: deploy.Options{On: true}})
	var e *deploy.Error
	if !errors.As(err, &e) {
		t.Fatal(err)
	}
	for _, want := range []string{`"/root/.cache/deliveryboy/bin": `, "Read-only file system", `"/dev/shm/deliveryboy-bin-0": "there is not enough room" (1.0 MiB free)`, `"/tmp/deliveryboy-bin-0": "programs in it cannot be run: it is mounted noexec"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
}

// TestAForeignProgram: a file that cannot start there is not used, and the error says why.
func TestAForeignProgram(t *testing.T) {
	dynamic, err := exec.LookPath("sudo")
	if err != nil {
		t.Skip("NOT TESTED, no dynamic program: ", err)
	}
	via := container(t)
	system := "linux/" + runtime.GOARCH
	for name, c := range map[string]struct {
		bundle map[string]string
		want   string // in the error; empty: there is none
	}{
		"no loader": {map[string]string{system: dynamic}, "it needs the dynamic loader"},
		"not ours":  {map[string]string{system: "/bin/busybox"}, "the program does not start there"},
		"no system": {map[string]string{"plan9/386": "/bin/busybox"}, ""},
	} {
		_, err := delivery.Open(t.Context(), via, session.Options{Deploy: deploy.Options{On: true, Programs: c.bundle}})
		if c.want == "" && err == nil {
			continue
		}
		var d *box.DeliveryError
		if !errors.As(err, &d) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
