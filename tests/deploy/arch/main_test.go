//go:build linux

// Package arch tests workers of other architectures, whose program comes from a bundle: linux/386, which linux/amd64 runs as
// its own, and linux/arm64 under qemu-user, in a root directory that holds nothing but Debian's busybox for arm64.
//
// The kernel is told of qemu within a user namespace of each call's own (binfmt_misc, Linux 6.7 and later), so that the
// machine's own settings stay as they are. The program is a module of its own, as a user's would be: the bundle is made by the
// two lines that the README has.
package arch

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// roamer is the caller, and the worker. It makes the calls that its argument describes, and prints what became of them.
const roamer = `package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

type Answer struct {
	System string
	Exe    string
	Big    int64
	Deep   map[string][]uint
}

var ask = registry.Register("ask", func(a Answer) (Answer, error) {
	a.System = runtime.GOOS + "/" + runtime.GOARCH
	a.Exe, _ = os.Readlink("/proc/self/exe") // which qemu-user cannot tell below another root
	fmt.Print("printed there")
	return a, nil
})

type Call struct {
	Via     []string
	Program string
	Any     bool
	Deploy  deploy.Options
}

type Outcome struct {
	Answer  Answer
	Pushed  bool
	Path    string
	Printed string
	Skew    bool
	Err     string
}

func run(c Call) (o Outcome, err error) {
	var printed strings.Builder
	s, err := delivery.Open(context.Background(), transport.Command{Prefix: c.Via},
		session.Options{Program: c.Program, Deploy: c.Deploy, AnyBuild: c.Any, Stdout: &printed})
	if err != nil {
		return o, err
	}
	o.Pushed, o.Path = s.Deployed().Pushed, s.Deployed().Path
	o.Answer, err = ask.On(s)(Answer{Big: 1 << 40, Deep: map[string][]uint{"a": {1}}})
	err = errors.Join(err, s.Close())
	o.Printed = printed.String()
	return o, err
}

func main() {
	delivery.Main()
	var c Call
	if err := json.Unmarshal([]byte(os.Args[1]), &c); err != nil {
		panic(err)
	}
	o, err := run(c)
	if err != nil {
		o.Err, o.Skew = err.Error(), errors.As(err, new(*box.VersionSkewError))
	}
	if err := json.NewEncoder(os.Stdout).Encode(o); err != nil {
		panic(err)
	}
}
`

// Options are as those of package deploy.
type Options struct {
	On       bool
	Cache    string            `json:",omitempty"`
	Bundle   string            `json:",omitempty"`
	Programs map[string]string `json:",omitempty"`
}

// A Call is what the roamer is told, and an Outcome what it says.
type Call struct {
	Via     []string
	Program string
	Any     bool
	Deploy  Options
}

type Outcome struct {
	Answer struct {
		System, Exe string
		Big         int64
		Deep        map[string][]uint
	}
	Pushed, Skew       bool
	Path, Printed, Err string
}

// The roamer and its bundle, made once for all tests.
var (
	dir     string
	program string // for this system
	bundle  string // for this one, linux/386 and linux/arm64
)

func TestMain(m *testing.M) {
	code := func() int {
		var err error
		if dir, err = os.MkdirTemp("", "deliveryboy-arch-"); err == nil {
			defer os.RemoveAll(dir)
			err = os.Chmod(dir, 0o755) //nolint:gosec // others run what is in it
		}
		if err == nil {
			err = makeAll(dir)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}()
	os.Exit(code)
}

// makeAll makes the program and the bundle as a user would, from another module.
func makeAll(dir string) error {
	source := filepath.Join(dir, "source")
	if err := writeModule(source, roamer); err != nil {
		return err
	}
	program, bundle = filepath.Join(dir, "roamer"), filepath.Join(dir, "roamer.bundle")
	return errors.Join(
		command(source, "go", "build", "-o", program, "."),
		command(source, "go", "run", "github.com/seed354a1416/deliveryboy/cmd/deliveryboy", "pack",
			"--system", "linux/386,linux/arm64", "--system", "linux/"+runtime.GOARCH, "-o", bundle, "."))
}

// writeModule makes a module of a main package.
func writeModule(dir, source string) error {
	here, err := filepath.Abs("../../..")
	if err != nil {
		return err
	}
	sum, err := os.ReadFile(filepath.Join(here, "go.sum"))
	if err != nil {
		return err
	}
	mod, err := os.ReadFile(filepath.Join(here, "go.mod"))
	if err != nil {
		return err
	}
	_, requires, _ := strings.Cut(string(mod), "\n")
	text := "module example.org/roamer\n" + requires + "\nrequire github.com/seed354a1416/deliveryboy v0.0.0\n\nreplace github.com/seed354a1416/deliveryboy => " + here + "\n"
	return errors.Join(os.MkdirAll(dir, 0o755),
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte(text), 0o600),
		os.WriteFile(filepath.Join(dir, "go.sum"), sum, 0o600),
		os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600))
}

// command runs one in a directory.
func command(dir string, argv ...string) error {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%q: %w: %s", argv, err, out)
	}
	return nil
}

// call has the roamer make a call.
func call(t *testing.T, c Call) Outcome {
	t.Helper()
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), program, string(text))
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	var o Outcome
	if err := json.Unmarshal(stdout.Bytes(), &o); err != nil {
		t.Fatalf("%v: %q", err, &stdout)
	}
	return o
}

// good fails the test if a call did not come back from a system as it should.
func (o Outcome) good(t *testing.T, system string) {
	t.Helper()
	if o.Err != "" || o.Answer.System != system || o.Answer.Big != 1<<40 || fmt.Sprint(o.Answer.Deep) != "map[a:[1]]" || o.Printed != "printed there" {
		t.Errorf("from %s: %+v", system, o)
	}
}

// missing says why something is not tested; in CI that is a failure.
func missing(t *testing.T, why string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(why)
	}
	t.Skip("NOT TESTED: " + why)
}
