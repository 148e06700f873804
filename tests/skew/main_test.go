//go:build linux

// Package skew tests that a program that is replaced between two calls never gets an argument, nor runs anything: over
// real sudo, su and sshd in a private place on this machine (see tests/stage), by its path, by the caller's own file, and
// where it is brought. tests/docker has the same for containers.
package skew

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// mark has an effect: it writes its argument to a file, and says who did.
var mark = registry.Register("skew.mark", func(file, text string) (string, error) {
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, text)
	return build.ID(), err
}, registry.Rules{Idempotent: true})

// install puts a file in the place of another one, in one step, as whoever runs it.
var install = registry.Register("skew.install", func(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o755); err != nil { //nolint:gosec // a program
		return err
	}
	return errors.Join(os.Chmod(path+".new", 0o755), os.Rename(path+".new", path)) //nolint:gosec // the umask is another
})

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main()
	if os.Getenv(roleVariable) != "" {
		playCaller()
	}
	st = stage.Enter(stage.Options{})
	os.Exit(m.Run())
}

func sshHop() transport.SSH {
	return transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
}

// ways are those to a worker that a file is the program of.
func ways() map[string]transport.Chain {
	return map[string]transport.Chain{
		"self": {}, "sudo": {transport.Sudo{}}, "ssh": {sshHop()}, "ssh then sudo": {sshHop(), transport.Sudo{}},
		"sudo then su": {transport.Sudo{}, transport.Su{User: st.Second}},
	}
}

func via(c transport.Chain) transport.Transport {
	if len(c) == 0 {
		return transport.Self{}
	}
	return c
}

func needs(t *testing.T) {
	t.Helper()
	st.NeedSudo(t)
	st.NeedSSH(t)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

func root() delivery.Once { return delivery.Once{Via: transport.Sudo{}, Program: st.Binary} }

// A scene is a directory of root's with a program in it, and a file that functions write to.
type scene struct {
	t                     *testing.T
	dir                   string
	program, effects, log string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	needs(t)
	dir := filepath.Join(st.Dir, "skew-"+strconv.Itoa(os.Getpid())+"-"+strconv.FormatInt(int64(len(scenes)), 10))
	scenes = append(scenes, dir)
	s := &scene{t, dir, dir + "/app", dir + "/effects", dir + "/stdin"}
	must(t, makeScene.On(root())(dir, []string{s.effects, s.log}))
	t.Cleanup(func() { must(t, removeScene.On(root())(dir)) })
	s.install(original(t))
	return s
}

var scenes []string

var makeScene = registry.Register("skew.scene", func(dir string, open []string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	for _, file := range open {
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return err
		}
		if err := os.Chmod(file, 0o666); err != nil { //nolint:gosec // for whoever the worker is
			return err
		}
	}
	return os.Chmod(dir, 0o755) //nolint:gosec // the umask is another
})

var removeScene = registry.Register("skew.remove", os.RemoveAll)

func (s *scene) install(content []byte) {
	s.t.Helper()
	must(s.t, install.On(root())(s.program, content))
}

func (s *scene) read(file string) string {
	s.t.Helper()
	content, err := os.ReadFile(file)
	must(s.t, err)
	return string(content)
}

func original(t *testing.T) []byte {
	t.Helper()
	content, err := os.ReadFile(st.Binary)
	must(t, err)
	return content
}

// otherBuild is this program with another build ID: the same functions, in the same form.
func otherBuild(t *testing.T) []byte {
	t.Helper()
	id := []byte(build.ID())
	other := bytes.ReplaceAll(original(t), id, bytes.Repeat([]byte("x"), len(id)))
	if bytes.Equal(other, original(t)) {
		t.Fatal("the build ID is not in the file")
	}
	return other
}

// recorder is a program that notes what it gets before it hands it to another build.
func (s *scene) recorder() []byte {
	s.t.Helper()
	other := s.dir + "/other"
	must(s.t, install.On(root())(other, otherBuild(s.t)))
	return fmt.Appendf(nil, "#!/bin/sh\ntee -a %s | %s \"$@\"\n", s.log, other)
}

// toJSON is for a caller in another process.
func toJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	must(t, err)
	return string(text)
}
