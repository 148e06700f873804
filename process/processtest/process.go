package processtest

import (
	"errors"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

const sigterm = syscall.SIGTERM

func sh(script string) process.Config {
	return process.Config{Name: "script", Argv: []string{"/bin/sh", "-c", script}}
}

func prepare(t *testing.T, p Place, c process.Config, stdio ...process.Stdio) *process.Process {
	t.Helper()
	pr, err := process.On(p.Courier).New(c, stdio...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pr.Close(); err != nil {
			t.Error(err)
		}
	})
	return pr
}

func start(t *testing.T, p *process.Process) {
	t.Helper()
	if err := p.Start(within(t)); err != nil {
		t.Fatal(err)
	}
}

func wait(t *testing.T, p *process.Process) process.State {
	t.Helper()
	s, err := p.Wait(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func config(t *testing.T, p Place) {
	c := process.Config{
		Name: "c", Cmdline: "sh -c", Argv: []string{`umask; ulimit -n; ulimit -c; echo "$A $0"; pwd`, "$A"},
		Env: map[string]string{"A": "a"}, Expand: true, Umask: "026", Dir: "/usr",
		Limits: map[string]process.Limit{"nofile": {Soft: 50, Hard: 60}, "core": {}},
	}
	c.Argv[0] = strings.ReplaceAll(c.Argv[0], "$", "$$")
	x := newSeen()
	pr := prepare(t, p, c, process.Stdio{Stdout: x})
	start(t, pr)
	if s := wait(t, pr); !s.Success() || x.String() != "0026\n50\n0\na a\n/usr\n" {
		t.Errorf("%s, %q", &s, x)
	}
	x = newSeen()
	pr = prepare(t, p, process.Config{Name: "s", Shell: true, Cmdline: "id -u; printf '%s\n'", Argv: []string{"a b", "it's"}}, process.Stdio{Stdout: x})
	start(t, pr)
	uid := p.UID
	if uid < 0 {
		uid = os.Getuid()
	}
	if s := wait(t, pr); !s.Success() || x.String() != strconv.Itoa(uid)+"\na b\nit's\n" {
		t.Errorf("%s, %q", &s, x)
	}
}

func labels(t *testing.T, p Place) {
	c := sh(`read a; echo "out $a"; echo "err $a" >&2; read b <&3; echo "three $b" >&3; cat <&4 >&4`)
	c.Outputs, c.Input, c.Streams = []string{"out", "err"}, true, []string{"s3", "s4"}
	pr := prepare(t, p, c)
	got := map[string]*seen{}
	for _, label := range []string{"out", "err", "s3", "s4"} {
		got[label] = newSeen()
		if _, err := pr.OnOutput(label, func(e process.Event) { _, _ = got[label].Write(e.Data) }); err != nil {
			t.Fatal(err)
		}
	}
	start(t, pr)
	in, err := pr.Stdin()
	if err == nil {
		err = in.WriteLines("x")
	}
	if err != nil {
		t.Fatal(err)
	}
	got["out"].until(t, func(s string) bool { return s == "out x\n" })
	got["err"].until(t, func(s string) bool { return s == "err x\n" })
	s3, err := pr.Stream("s3")
	if err == nil {
		err = s3.WriteLines("y")
	}
	if err != nil {
		t.Fatal(err)
	}
	got["s3"].until(t, func(s string) bool { return s == "three y\n" })
	s4, err := pr.Stream("s4")
	if err != nil {
		t.Fatal(err)
	}
	data := strings.Repeat("z", 300_000) // more than all buffers take
	if n, err := s4.Write([]byte(data)); err != nil || n != len(data) {
		t.Errorf("%d, %v", n, err)
	}
	if err := s4.Close(); err != nil {
		t.Error(err)
	}
	if s := wait(t, pr); !s.Success() {
		t.Errorf("%s", &s)
	}
	got["s4"].until(t, func(s string) bool { return s == data })
	if n := pr.Dropped(); n != 0 {
		t.Errorf("%d events were dropped", n)
	}
}

func signals(t *testing.T, p Place) {
	first := syscall.SIGHUP
	if signal.Ignored(first) { // by what nohup started: then no shell below can catch it
		first = syscall.SIGUSR2
	}
	name := strings.TrimPrefix(process.SignalName(first), "SIG")
	c := sh("trap 'echo first' " + name + "; trap 'echo USR1' USR1; echo ready; while :; do sleep 0.02; done")
	c.Outputs = []string{"out"}
	pr := prepare(t, p, c)
	x := newSeen()
	if _, err := pr.OnOutput("out", func(e process.Event) { _, _ = x.Write(e.Data) }); err != nil {
		t.Fatal(err)
	}
	exits := make(chan process.Event, 1)
	pr.OnExit(func(e process.Event) { exits <- e })
	start(t, pr)
	x.until(t, func(s string) bool { return s == "ready\n" })
	for _, s := range []struct {
		sig  syscall.Signal
		want string
	}{{first, "first\n"}, {syscall.SIGUSR1, "USR1\n"}} {
		if err := pr.Signal(within(t), s.sig); err != nil {
			t.Fatal(err)
		}
		x.until(t, func(all string) bool { return strings.HasSuffix(all, s.want) })
	}
	if err := pr.Signal(within(t), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if s := wait(t, pr); s.Signal != "SIGKILL" {
		t.Errorf("%s", &s)
	}
	if e := <-exits; e.State == nil || e.State.Signal != "SIGKILL" || e.PID != pr.PID() {
		t.Errorf("%+v", e)
	}
	if err := pr.Signal(within(t), syscall.SIGHUP); !errors.Is(err, process.ErrDone) {
		t.Errorf("%v", err)
	}
}

func stats(t *testing.T, p Place) {
	pr := prepare(t, p, sh("while :; do :; done"))
	start(t, pr)
	s, err := pr.Stats(within(t), 50*time.Millisecond)
	for deadline := time.Now().Add(Patience); err == nil && s.CPU == 0 && time.Now().Before(deadline); { // others want it too
		s, err = pr.Stats(within(t), 50*time.Millisecond)
	}
	if err != nil || s.PID != pr.PID() || s.RSS <= 0 || s.CPU <= 0 || s.Files < 3 || s.Threads != 1 || s.Username == "" {
		t.Errorf("%+v, %v", s, err)
	}
	heard := make(chan process.Event, 100)
	end, err := pr.Monitor(5*time.Millisecond, func(e process.Event) { heard <- e })
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if e := <-heard; e.Stats == nil || e.Stats.PID != pr.PID() {
			t.Errorf("%+v", e)
		}
	}
	end()
}

func stop(t *testing.T, p Place) {
	c := sh("trap '' TERM; sh -c 'trap \"\" TERM; echo ready; while :; do sleep 0.05; done' & wait; while :; do sleep 0.05; done")
	c.Grace = process.Duration(50 * time.Millisecond)
	x := newSeen()
	pr := prepare(t, p, c, process.Stdio{Stdout: x})
	start(t, pr)
	x.until(t, func(s string) bool { return s == "ready\n" })
	if s, err := pr.Stop(within(t)); err != nil || s.Signal != "SIGKILL" { // its outputs have ended: so did the child
		t.Errorf("%s, %v", &s, err)
	}
	pr = prepare(t, p, sh("trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"), process.Stdio{Stdout: x})
	start(t, pr)
	x.until(t, func(s string) bool { return s == "ready\nready\n" })
	if s, err := pr.Stop(within(t)); err != nil || s.Code != 5 {
		t.Errorf("%s, %v", &s, err)
	}
	if s, err := pr.Stop(within(t)); err != nil || s.Code != 5 {
		t.Errorf("again: %s, %v", &s, err)
	}
}

func closed(t *testing.T, p Place) {
	x := newSeen()
	pr := prepare(t, p, sh("setsid sleep 1000 & sleep 1000 & echo ready; wait"), process.Stdio{Stdout: x})
	start(t, pr)
	x.until(t, func(s string) bool { return s == "ready\n" })
	if err := pr.Close(); err != nil { // waits for the outputs, which all of them have
		t.Error(err)
	}
	if s := wait(t, pr); s.Signal != "SIGKILL" {
		t.Errorf("%s", &s)
	}
}

func startFails(t *testing.T, p Place) {
	_, err := process.On(p.Courier).Start(within(t), process.Config{Cmdline: "true", User: "no-such-user"})
	var wrong *process.ConfigError
	if !errors.As(err, &wrong) || wrong.Field != "user" {
		t.Errorf("%v", err)
	}
	_, err = process.On(p.Courier).Start(within(t), process.Config{Cmdline: "true", Dir: "/does/not/exist"})
	if !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%v", err)
	}
	pr := prepare(t, p, process.Config{Cmdline: "prog-that-is-not"})
	exits := make(chan process.Event, 1)
	pr.OnExit(func(e process.Event) { exits <- e })
	if err := pr.Start(within(t)); err == nil {
		t.Error("it started")
	}
	if e := <-exits; e.Err == nil || e.State != nil {
		t.Errorf("%+v", e)
	}
	if _, err := pr.Wait(within(t)); err == nil {
		t.Error("it ended well")
	}
}

func ref(t *testing.T, p Place) {
	if !p.Warm {
		t.Skip("a Ref needs a worker that stays")
	}
	pr := prepare(t, p, sh("sleep 1000"))
	start(t, pr)
	pid, err := Resolve.On(p.Courier)(pr.Ref())
	if err != nil || pid != pr.PID() {
		t.Errorf("%d, %v", pid, err)
	}
	if err := pr.Close(); err != nil {
		t.Error(err)
	}
	if _, err := Resolve.On(p.Courier)(pr.Ref()); !errors.Is(err, process.ErrDone) {
		t.Errorf("%v", err)
	}
}
