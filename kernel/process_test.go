//go:build linux

package kernel_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
)

// patient is a context for what should not take long on a slow machine.
func patient(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	t.Cleanup(cancel)
	return ctx
}

func client(t *testing.T) *kernel.Client { return clientOf(t, kerneltest.Start(t)) }

func clientOf(t *testing.T, o kernel.Options) *kernel.Client {
	t.Helper()
	c, err := kernel.Open(patient(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func shell(script string) kernel.ProcessSpec {
	return kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", script}}
}

func make1(t *testing.T, c *kernel.Client, name string, spec kernel.ProcessSpec) kernel.Process {
	t.Helper()
	p, err := c.MakeProcess(patient(t), name, spec)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func watch(t *testing.T, c *kernel.Client, o kernel.WatchOptions, patterns ...string) *kernel.Watcher {
	t.Helper()
	w, err := c.WatchProcesses(patient(t), o, patterns...)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// told is what a watch told of a process.
type told struct {
	out, err string
	lost     uint64
	closed   int
	code     int
}

// all reads a watch to its end.
func all(t *testing.T, w *kernel.Watcher) map[string]told {
	t.Helper()
	got := map[string]told{}
	for e, err := range w.Events(patient(t)) {
		if err != nil {
			t.Fatal(err)
		}
		p := got[e.Name]
		switch e.Kind {
		case kernel.Output:
			p.out += string(e.Data)
		case kernel.ErrorOutput:
			p.err += string(e.Data)
		case kernel.Lost:
			p.lost += e.Count
		case kernel.Closed:
			p.closed++
			p.code = e.ExitCode
		}
		got[e.Name] = p
	}
	return got
}

// TestPA40Documented is papa's documented example through this client: a socket, two processes that get its descriptor and
// port, a watch of both, and what was told is acknowledged.
func TestPA40Documented(t *testing.T) {
	c := client(t)
	s, err := c.MakeSocket(patient(t), "uwsgi", kernel.SocketSpec{})
	if err != nil {
		t.Fatal(err)
	}
	spec := kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", `echo $0 $1 $2; ls -l /proc/self/fd/$1 | sed 's/.*socket.*/a socket/'; exit $2`,
		"port:$(socket.uwsgi.port)", "$(socket.uwsgi.fileno)", "3"}}
	make1(t, c, "app.1", spec)
	spec.Args = append(spec.Args[:5:5], "4")
	make1(t, c, "app.2", spec)
	w := watch(t, c, kernel.WatchOptions{}, "app.*")
	got := all(t, w)
	for i, name := range []string{"app.1", "app.2"} {
		want := fmt.Sprintf("port:%d 3 %d\na socket\n", s.Port, i+3)
		if p := got[name]; p.out != want || p.err != "" || p.code != i+3 || p.closed != 1 {
			t.Errorf("%s: %+v, want %q", name, p, want)
		}
	}
	if w.Left() || w.ExitCode["app.1"] != 3 || w.ExitCode["app.2"] != 4 { // PA-59, PA-61
		t.Errorf("left: %v, exit codes %v", w.Left(), w.ExitCode)
	}
	if list, err := c.Processes(patient(t)); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v: all has been acknowledged", list, err)
	}
}

// TestPA23DocumentedText is the same by hand.
func TestPA23DocumentedText(t *testing.T) {
	conn, err := net.Dial("unix", kerneltest.Start(t).Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	said := ""
	expect := func(part string) string {
		t.Helper()
		for buf := make([]byte, 4096); ; {
			if before, after, ok := strings.Cut(said, part); ok {
				said = after
				return before
			}
			n, err := conn.Read(buf)
			if err != nil {
				t.Fatalf("waiting for %q: %v after %q", part, err, said)
			}
			said += string(buf[:n])
		}
	}
	say := func(line string) { fmt.Fprintf(conn, "%s\n", line) }
	expect("> ")
	say("make socket uwsgi")
	expect("> ")
	for i := 1; i <= 2; i++ {
		say(fmt.Sprintf(`make process app.%d env.A=b /bin/sh -c "echo $A; exit $1" x $(socket.uwsgi.fileno)`, i))
		if line := expect("> "); !strings.HasPrefix(line, fmt.Sprintf("app.%d pid=", i)) {
			t.Errorf("%q", line)
		}
	}
	say("w p app.*") // PA-18
	text := ""
	for strings.Count(text, "closed:") < 2 {
		text += expect("] ")
		say("")
	}
	if got := expect("> "); got != "Nothing left to watch\n" {
		t.Errorf("at the end: %q", got)
	}
	for i := 1; i <= 2; i++ {
		if !strings.Contains(text, fmt.Sprintf("out:app.%d:", i)) || !strings.Contains(text, ":2\nb\n\n") {
			t.Errorf("%q", text)
		}
		if _, rest, _ := strings.Cut(text, fmt.Sprintf("closed:app.%d:", i)); !strings.HasPrefix(rest[strings.Index(rest, ":"):], ":3\n") {
			t.Errorf("%q: exit code 3, the descriptor, was to be expected", rest)
		}
	}
	say("l p")
	if got := expect("> "); got != "" {
		t.Errorf("left: %q", got)
	}
	say(`make process b /bin/sleep 100`)
	expect("> ")
	say("watch processes b")
	say("q")
	if got := expect("> "); got != "Stopped watching\n" {
		t.Errorf("%q", got)
	}
	say("watch processes nobody")
	if got := expect("> "); got != "Error: nobody not found\n" {
		t.Errorf("%q", got)
	}
	say("watch processes nobody*")
	if got := expect("> "); got != "Error: Nothing to watch\n" {
		t.Errorf("%q", got)
	}
}

// TestPA54StartWatching: one message starts and watches.
func TestPA54StartWatching(t *testing.T) {
	c := client(t)
	p, w, err := c.StartWatching(patient(t), "a", shell("echo x; exit 6"))
	if err != nil {
		t.Fatal(err)
	}
	if got := all(t, w); got["a"].out != "x\n" || got["a"].code != 6 || p.PID == 0 {
		t.Errorf("%+v of %+v", got, p)
	}
	if _, _, err := c.StartWatching(patient(t), "a", kernel.ProcessSpec{Args: []string{"/no/such"}}); !errors.Is(err, kernel.ErrFailed) {
		t.Errorf("%v", err)
	}
}

// TestPA53NoHijack: a watch, and commands beside it, on one connection.
func TestPA53NoHijack(t *testing.T) {
	c := client(t)
	spec := shell("read x; echo got $x")
	spec.Stdin = kernel.Pipe
	make1(t, c, "a", spec)
	w := watch(t, c, kernel.WatchOptions{}, "a")
	if err := c.Send(patient(t), "a", []byte("that\n")); err != nil {
		t.Fatal(err)
	}
	if got := all(t, w); got["a"].out != "got that\n" {
		t.Errorf("%+v", got)
	}
}

// TestPA55Read: what Read returns is acknowledged by the next Read, and not before.
func TestPA55Read(t *testing.T) {
	c := client(t)
	spec := shell("echo one; read x; echo two")
	spec.Stdin = kernel.Pipe
	make1(t, c, "a", spec)
	w := watch(t, c, kernel.WatchOptions{}, "a")
	one, err := w.Read(patient(t))
	if err != nil || string(one[0].Data) != "one\n" || one[0].At.IsZero() || time.Since(one[0].At) > time.Hour { // PA-57
		t.Fatalf("%+v %v", one, err)
	}
	if err := w.Leave(patient(t)); err != nil {
		t.Fatal(err)
	}
	w = watch(t, c, kernel.WatchOptions{}, "a")
	if again, err := w.Read(patient(t)); err != nil || string(again[0].Data) != "one\n" {
		t.Fatalf("%+v %v: it had not been acknowledged", again, err)
	}
	if err := w.Close(patient(t)); err != nil { // PA-60: this does
		t.Fatal(err)
	}
	w = watch(t, c, kernel.WatchOptions{}, "a")
	if err := c.Send(patient(t), "a", []byte("\n")); err != nil {
		t.Fatal(err)
	}
	if got := all(t, w); got["a"].out != "two\n" || got["a"].closed != 1 {
		t.Errorf("%+v", got)
	}
	if _, err := w.Read(patient(t)); !errors.Is(err, io.EOF) {
		t.Errorf("%v", err)
	}
}

// TestPA58Ready: a select sees that something is there.
func TestPA58Ready(t *testing.T) {
	c := client(t)
	spec := shell("read x; echo now; read x")
	spec.Stdin = kernel.Pipe
	make1(t, c, "a", spec)
	w := watch(t, c, kernel.WatchOptions{}, "a")
	select {
	case <-w.Ready():
		t.Error("ready, though nothing has come")
	default:
	}
	if err := c.Send(patient(t), "a", []byte("\n")); err != nil {
		t.Fatal(err)
	}
	select {
	case <-w.Ready():
	case <-time.After(time.Minute):
		t.Fatal("never ready")
	}
	if e, err := w.Read(patient(t)); err != nil || string(e[0].Data) != "now\n" {
		t.Errorf("%+v %v", e, err)
	}
	if err := w.Leave(patient(t)); err != nil {
		t.Fatal(err)
	}
}

// TestPA56Crash: two consumers, of which one ends between reading and acknowledging; neither loses anything.
func TestPA56Crash(t *testing.T) {
	o := kerneltest.Start(t)
	const lines = 5000
	spec := shell(fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo line $i; i=$((i+1)); done; exit 9", lines))
	spec.Consumers = []string{"log", "metrics"}
	make1(t, clientOf(t, o), "a", spec)
	var want strings.Builder
	for i := range lines {
		fmt.Fprintf(&want, "line %d\n", i)
	}
	crashed := ""
	for range 20 { // each of these has a connection of its own, and ends without a word
		c := clientOf(t, o)
		w := watch(t, c, kernel.WatchOptions{Consumer: "log"}, "a")
		if len(crashed)%2 == 0 {
			if events, err := w.Read(patient(t)); err != nil || len(events) == 0 {
				t.Fatalf("%v %v", events, err)
			}
		}
		c.Close()
	}
	for _, consumer := range []string{"log", "metrics"} {
		got := all(t, watch(t, clientOf(t, o), kernel.WatchOptions{Consumer: consumer}, "a"))
		if p := got["a"]; p.out != want.String() || p.code != 9 || p.lost != 0 {
			t.Errorf("%s: %d bytes of %d, %d lost, code %d", consumer, len(p.out), want.Len(), p.lost, p.code)
		}
	}
	if list, err := clientOf(t, o).Processes(patient(t)); err != nil || len(list) != 0 {
		t.Errorf("%+v %v", list, err)
	}
}

// TestPA41ToPA47Spec: what a spec says arrives.
func TestPA41ToPA47Spec(t *testing.T) {
	c := client(t)
	dir := t.TempDir()
	spec := kernel.ProcessSpec{Args: []string{"sh", "-c", `echo "$A|$PWD"; ulimit -n; echo e >&2`}, Env: []string{"A=a b\n\x01", "PATH=/bin:/usr/bin"},
		Dir: dir, Limits: map[string]uint64{"nofile": 99}, Stderr: kernel.Merged, Bufsize: 4096}
	p := make1(t, c, "a", spec)
	if p.UID != os.Geteuid() || p.GID != os.Getegid() || p.Started.IsZero() || p.Args[0] != "sh" {
		t.Errorf("%+v", p)
	}
	if again := make1(t, c, "a", spec); again.PID != p.PID { // PA-48
		t.Errorf("%d, and again %d", p.PID, again.PID)
	}
	got := all(t, watch(t, c, kernel.WatchOptions{}, "a"))["a"]
	if want := "a b\n\x01|" + dir + "\n99\ne\n"; got.out != want || got.err != "" {
		t.Errorf("%q, want %q", got.out, want)
	}
	got = func() told {
		make1(t, c, "b", kernel.ProcessSpec{Args: []string{"echo $1 $((1+2));", "exit 5"}, Shell: true, Bufsize: kernel.NoBuffer})
		return all(t, watch(t, c, kernel.WatchOptions{}, "b"))["b"]
	}()
	if got.code != 5 || got.out != "" {
		t.Errorf("%+v", got)
	}
}

// TestPA31Listen: sockets as systemd gives them to services.
func TestPA31Listen(t *testing.T) {
	c := client(t)
	for _, name := range []string{"one", "two"} {
		if _, err := c.MakeSocket(patient(t), name, kernel.SocketSpec{}); err != nil {
			t.Fatal(err)
		}
	}
	spec := shell(`echo $LISTEN_FDS $LISTEN_FDNAMES; [ "$LISTEN_PID" = $$ ] && echo mine; [ -S /proc/$$/fd/3 ] && [ -S /proc/$$/fd/4 ] && echo sockets`)
	spec.Listen = []string{"two", "one"}
	make1(t, c, "a", spec)
	if got := all(t, watch(t, c, kernel.WatchOptions{}, "a"))["a"]; got.out != "2 two:one\nmine\nsockets\n" {
		t.Errorf("%+v", got)
	}
}

// TestPA14PA15PA51PA52Names: nothing is removed by no argument; process numbers are names, too.
func TestPA14PA15PA51PA52Names(t *testing.T) {
	c := client(t)
	p := make1(t, c, "a", shell("echo x; exec sleep 1000"))
	if err := c.RemoveProcesses(patient(t)); !errors.Is(err, kernel.ErrUsage) {
		t.Errorf("%v", err)
	}
	if err := c.RemoveProcesses(patient(t), "b"); !errors.Is(err, kernel.ErrNotFound) {
		t.Errorf("%v", err)
	}
	if err := c.RemoveProcesses(patient(t), "b*"); err != nil {
		t.Errorf("%v", err)
	}
	if list, err := c.Processes(patient(t), fmt.Sprint(p.PID), "nobody"); err != nil || len(list) != 1 || list[0].Name != "a" || !list[0].Running {
		t.Errorf("%+v %v", list, err)
	}
	if err := c.SignalProcesses(patient(t), "SIGKILL", "*"); err != nil {
		t.Fatal(err)
	}
	if got := all(t, watch(t, c, kernel.WatchOptions{}, "a"))["a"]; got.code != -9 {
		t.Errorf("%+v", got)
	}
	if _, err := c.MakeProcess(patient(t), "a", kernel.ProcessSpec{Args: []string{"true"}, User: "nosuchuser"}); err == nil {
		t.Error("an unknown user")
	}
}

// TestPA64NothingIsRestarted: that is for whoever watches.
func TestPA64NothingIsRestarted(t *testing.T) {
	c := client(t)
	w := watch(t, c, kernel.WatchOptions{Follow: true}, "a")
	for round := range 3 {
		p := make1(t, c, "a", shell(fmt.Sprintf("exit %d", round)))
		e, err := w.Read(patient(t))
		if err != nil || e[0].Kind != kernel.Closed || e[0].ExitCode != round || e[0].PID != p.PID {
			t.Fatalf("%+v %v", e, err)
		}
		if err := w.Acknowledge(patient(t)); err != nil {
			t.Fatal(err)
		}
		if list, err := c.Processes(patient(t)); err != nil || len(list) > 0 {
			t.Fatalf("%+v %v", list, err)
		}
	}
	if err := w.Close(patient(t)); err != nil {
		t.Fatal(err)
	}
}

// TestGA44StopAll ends everything.
func TestGA44StopAll(t *testing.T) {
	c := client(t)
	for i := range 10 {
		make1(t, c, fmt.Sprintf("p.%d", i), shell("trap 'exit 3' TERM; echo ready; while :; do sleep 0.1; done"))
	}
	w := watch(t, c, kernel.WatchOptions{}, "p.*")
	for ready := 0; ready < 10; {
		events, err := w.Read(patient(t))
		if err != nil {
			t.Fatal(err)
		}
		ready += len(events)
	}
	if err := c.StopProcesses(patient(t), 30*time.Second, "*"); err != nil {
		t.Fatal(err)
	}
	for name, p := range all(t, w) {
		if p.code != 3 {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if list, _ := c.Processes(patient(t)); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}
