//go:build linux

package kernel

import (
	"fmt"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// TestPA16SocketExample: papa's documented socket example, through the client and through nc, with the same results: a socket that
// outlives whoever made it, is made once, passes to processes by number, and whose clients wait.
func TestPA16SocketExample(t *testing.T) {
	ctx := limited(t)
	set := place(t, st.UID)
	o := start(t, st.UID, set)

	c := open(t, o)
	s, err := c.MakeSocket(ctx, "uwsgi", kernel.SocketSpec{})
	must(t, err)
	must(t, c.Close()) // the one who made it is gone

	said := netcat(t, st.UID, set.Socket, "make socket uwsgi\nlist sockets\nset aack \"some value\"\nget aack\nl v a*\nquit\n")
	one := fmt.Sprintf("uwsgi family=inet type=stream backlog=5 host=127.0.0.1 port=%d fileno=%d\n", s.Port, s.Fileno)
	want := "deliveryboy kernel 1. Type \"help\" for commands.\n> " + one + "> " + one + "> > some value\n> aack \"some value\"\n> "
	if d := cmp.Diff(want, said); d != "" {
		t.Errorf("nc (-want +got)\n%s", d)
	}

	c = open(t, o)
	list, err := c.Sockets(ctx)
	must(t, err)
	if d := cmp.Diff([]kernel.Socket{s}, list); d != "" {
		t.Errorf("client (-want +got)\n%s", d)
	}
	if got, err := c.Get(ctx, "aack"); got != "some value" || err != nil {
		t.Errorf("the value that nc has set is %q, %v", got, err)
	}

	waits, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
	must(t, err)
	waits.Close()
	must(t, c.RemoveSockets(ctx, "uwsgi"))
	if said := netcat(t, st.UID, set.Socket, "list sockets\nremove sockets uwsgi\nquit\n"); !strings.HasSuffix(said, "> > Error: uwsgi not found\n> ") {
		t.Errorf("after remove: %q", said)
	}
}

// TestPA31Passing: a process gets sockets by number and port, several times in its arguments, and as services of systemd do.
func TestPA31Passing(t *testing.T) {
	ctx := limited(t)
	c := open(t, start(t, st.UID, place(t, st.UID)))
	a, err := c.MakeSocket(ctx, "app.a", kernel.SocketSpec{})
	must(t, err)
	b, err := c.MakeSocket(ctx, "app.b", kernel.SocketSpec{})
	must(t, err)
	r, err := c.MakeSocket(ctx, "shared", kernel.SocketSpec{Reuseport: true})
	must(t, err)
	script := `echo "$@"; ls -l /proc/self/fd | grep -c socket; echo "$LISTEN_FDS $LISTEN_FDNAMES"; test "$LISTEN_PID" = $$ && echo mine; readlink /proc/$$/fd/3 /proc/$$/fd/4 /proc/$$/fd/5`
	say := func(name string, words ...string) string {
		t.Helper()
		_, err := c.Do(ctx, append([]string{"make", "process", name, "env.PATH=/usr/bin:/bin"}, words...)...)
		must(t, err)
		return outputOf(t, c, name)
	}
	got := say("by.listen", "listen=app.a,app.b", "/bin/sh", "-c", script, "sh",
		"fd://$(socket.app.b.fileno):$(socket.app.b.port)", "$(socket.app.a.fileno)", "$(socket.shared.fileno)", "$$(socket.app.a.fileno)", "$(other)")
	want := regexp.MustCompile(fmt.Sprintf(`^fd://4:%d 3 5 \$\(socket\.app\.a\.fileno\) \$\(other\)\n3\n2 app\.a:app\.b\nmine\nsocket:\[\d+\]\nsocket:\[\d+\]\nsocket:\[\d+\]\n$`, b.Port))
	if !want.MatchString(got) {
		t.Errorf("a process with sockets says %q, not %s", got, want)
	}
	if got := say("plain", "/bin/sh", "-c", script, "sh", "x"); got != "x\n0\n \n" {
		t.Errorf("PA-50: a process without sockets says %q", got)
	}
	for _, bad := range []struct{ arg, want string }{
		{"$(socket.nope.fileno)", "Socket nope not found"},
		{"see $(socket.app.a.fileno", "Missing ) in see $(socket.app.a.fileno: column 5 begins a socket reference"},
		{"$(socket.app.a.color)", "Bad socket reference at column 1: $(socket.app.a.color) must end with .fileno or .port"},
		{"$(socket.x)", "Bad socket reference at column 1"},
	} {
		if _, err := c.Do(ctx, "make", "process", "bad", "/bin/echo", bad.arg); err == nil || !strings.Contains(err.Error(), bad.want) {
			t.Errorf("92, 93: %s: %v", bad.arg, err)
		}
	}
	must(t, c.RemoveSockets(ctx, "*"))
	for _, s := range []kernel.Socket{a, r} {
		if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port)); err == nil {
			conn.Close()
			t.Errorf("%s: somebody listens still", s.Name)
		}
	}
}

// TestPA32RemovedSocketStays: a process keeps its socket when the kernel closes its own.
func TestPA32RemovedSocketStays(t *testing.T) {
	ctx := limited(t)
	c := open(t, start(t, st.UID, place(t, st.UID)))
	s, err := c.MakeSocket(ctx, "s", kernel.SocketSpec{})
	must(t, err)
	_, err = c.Do(ctx, "make", "process", "holds", "shell=yes", "exec /bin/sleep 1000 # $(socket.s.fileno)")
	must(t, err)
	must(t, c.RemoveSockets(ctx, "s"))
	conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
	must(t, err)
	conn.Close()
	_, err = c.Do(ctx, "stop", "processes", "holds")
	must(t, err)
	if conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port)); err == nil {
		conn.Close()
		t.Error("nobody has it, and it listens")
	}
}

// outputOf watches a process to its end and returns what it printed to stdout.
func outputOf(t *testing.T, c *kernel.Client, name string) string {
	t.Helper()
	w, err := c.WatchProcesses(limited(t), kernel.WatchOptions{}, name)
	must(t, err)
	var b strings.Builder
	for e, err := range w.Events(limited(t)) {
		must(t, err)
		if e.Kind == kernel.Output {
			b.Write(e.Data)
		}
	}
	return b.String()
}

// TestPA66Cleanup: a kernel that ends on purpose leaves no file of a socket, its own neither.
func TestPA66Cleanup(t *testing.T) {
	ctx := limited(t)
	set := place(t, st.UID)
	c := open(t, start(t, st.UID, set))
	path := set.State + "/u"
	_, err := c.MakeSocket(ctx, "u", kernel.SocketSpec{Path: path})
	must(t, err)
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != uint32(st.UID) {
		t.Errorf("%v %v", info, err)
	}
	stop(t, set)
	for _, p := range []string{path, set.Socket} {
		if _, err := os.Lstat(p); !os.IsNotExist(err) {
			t.Errorf("%s is left: %v", p, err)
		}
	}
}

// TestPA01KilledServerKeepsSockets: kill -9 of the server; sockets, values and those who wait in the backlog are still there.
func TestPA01KilledServerKeepsSockets(t *testing.T) {
	ctx := limited(t)
	set := place(t, st.UID)
	c := open(t, start(t, st.UID, set))
	s, err := c.MakeSocket(ctx, "tcp", kernel.SocketSpec{Backlog: 100})
	must(t, err)
	_, err = c.MakeSocket(ctx, "unix", kernel.SocketSpec{Path: set.State + "/u", Umask: "007"})
	must(t, err)
	_, err = c.MakeSocket(ctx, "shared", kernel.SocketSpec{Reuseport: true, Type: "dgram"})
	must(t, err)
	before, err := c.Do(ctx, "list", "sockets")
	must(t, err)
	for i := range rounds(5) {
		must(t, c.Set(ctx, "round", fmt.Sprint(i)))
		waits, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.Port))
		must(t, err)
		must(t, syscall.Kill(serverOf(t, c), syscall.SIGKILL))
		if got, err := c.Get(ctx, "round"); got != fmt.Sprint(i) || err != nil {
			t.Fatalf("the value that was set last is %q, %v", got, err)
		}
		after, err := c.Do(ctx, "list", "sockets")
		must(t, err)
		numbers := regexp.MustCompile(` fileno=\d+`)
		if d := cmp.Diff(numbers.ReplaceAllString(before, ""), numbers.ReplaceAllString(after, "")); d != "" {
			t.Fatalf("sockets after kill -9 (-before +after)\n%s", d)
		}
		again, err := c.MakeSocket(ctx, "tcp", kernel.SocketSpec{Backlog: 100})
		if err != nil || again.Port != s.Port {
			t.Fatalf("the same again: %+v, %v", again, err)
		}
		waits.Close()
	}
}
