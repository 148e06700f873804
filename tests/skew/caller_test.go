//go:build linux

package skew

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// end ends its worker.
var end = registry.Register("skew.end", func(context.Context) error {
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
})

const roleVariable = "SKEW_CALL"

// An order is what a caller in another process does, once for each line that it reads.
type order struct {
	Spec, Effects string
	Deploy        deploy.Options
}

// An outcome is what became of one call.
type outcome struct {
	Build string // of the worker
	Skew  bool
	Err   string
}

// playCaller calls, and tells.
func playCaller() {
	var o order
	err := json.Unmarshal([]byte(os.Getenv(roleVariable)), &o)
	spec, e := transport.Parse(o.Spec)
	if err := errors.Join(err, e); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	once := delivery.OnceFor(spec)
	once.Deploy = o.Deploy
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		var out outcome
		out.Build, err = mark.On(once)(o.Effects, lines.Text())
		if err != nil {
			out.Err, out.Skew = err.Error(), errors.As(err, new(*box.VersionSkewError))
		}
		if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
			os.Exit(1)
		}
	}
	os.Exit(0)
}

// A caller runs in a process whose own file is replaced.
type caller struct {
	t   *testing.T
	in  io.WriteCloser
	out *json.Decoder
}

func (s *scene) caller(o order) *caller {
	s.t.Helper()
	cmd := exec.Command(s.program) //nolint:noctx // it ends when its stdin does
	cmd.Env, cmd.Stderr = append(os.Environ(), roleVariable+"="+toJSON(s.t, o)), os.Stderr
	in, err := cmd.StdinPipe()
	must(s.t, err)
	out, err := cmd.StdoutPipe()
	must(s.t, err)
	must(s.t, cmd.Start())
	s.t.Cleanup(func() { must(s.t, errors.Join(in.Close(), cmd.Wait())) })
	return &caller{s.t, in, json.NewDecoder(out)}
}

func (c *caller) call(text string) (out outcome) {
	c.t.Helper()
	_, err := fmt.Fprintln(c.in, text)
	must(c.t, errors.Join(err, c.out.Decode(&out)))
	return out
}

// TestTheCallersOwnFileIsReplaced while it runs: what has its name then is not what it is, and gets no call. With Deploy
// the caller brings what it is itself, from the file that it still has open; a copy of itself is started from there, too.
func TestTheCallersOwnFileIsReplaced(t *testing.T) {
	for name, c := range ways() {
		for _, brings := range []bool{false, true} {
			if brings && len(c) > 1 {
				continue // as over one hop
			}
			t.Run(fmt.Sprintf("%s, brought %v", name, brings), func(t *testing.T) {
				s := newScene(t)
				o := order{Spec: via(c).String(), Effects: s.effects}
				if brings {
					o.Deploy = deploy.Options{On: true, KeepNothing: true}
				}
				who := s.caller(o)
				if out := who.call("one"); out.Err != "" || out.Build != build.ID() {
					t.Fatalf("%+v", out)
				}
				s.install(otherBuild(t))
				out := who.call("two")
				want, same := "one\n", brings || name == "self"
				if same {
					want = "one\ntwo\n"
				}
				if same && (out.Err != "" || out.Build != build.ID()) || !same && !out.Skew {
					t.Errorf("%+v", out)
				}
				if got := s.read(s.effects); got != want {
					t.Errorf("effects: %q", got)
				}
			})
		}
	}
}
