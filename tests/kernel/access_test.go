//go:build linux

package kernel

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// nobody is one more user.
const nobody = 65534

// TestPA05AnotherUser: only the kernel's user and root are served; all others read one text.
func TestPA05AnotherUser(t *testing.T) {
	ctx := limited(t)
	set := place(t, st.UID)
	set.AllowUIDs = []int{st.SecondUID} // so that the file lets everybody in, and the kernel has to look
	o := start(t, st.UID, set)
	c := open(t, o)
	must(t, c.Set(ctx, "secret", "mine"))
	words := []string{"get", "secret"}

	if got := netcat(t, nobody, set.Socket, "get secret\nset secret theirs\nquit\n"); got != kernel.Denial {
		t.Errorf("nc of another user reads %q", got)
	}
	closed := start(t, st.UID, place(t, st.UID)) // where the file lets nobody else in
	if got := tell(nobody, "ask", order{Options: closed, Words: words}); !strings.Contains(got, "this kernel serves other users: permission denied") {
		t.Errorf("a kernel without --allow-uid: %q", got)
	}
	got := tell(nobody, "ask", order{Options: o, Words: words})
	if want := "permission denied: this kernel serves other users"; !strings.Contains(got, want) || strings.Contains(got, "mine") {
		t.Errorf("the client of another user says %q", got)
	}
	if got := tell(st.SecondUID, "ask", order{Options: o, Words: words}); got != "" {
		t.Errorf("96: a user who may connect finds the value of another: %q", got)
	}
	if got := tell(0, "ask", order{Options: o, Words: words}); got != "mine" {
		t.Errorf("root reads %q", got)
	}
	if got, err := c.Get(ctx, "secret"); got != "mine" || err != nil {
		t.Errorf("it was changed: %q, %v", got, err)
	}
	log, err := os.ReadFile(filepath.Join(set.State, "log"))
	if err != nil || !strings.Contains(string(log), fmt.Sprintf("msg=refused uid=%d", nobody)) {
		t.Errorf("the log says %q, %v", log, err)
	}
}

// TestT52Namespaces: users who share a kernel see nothing of each other, and what they are told does not say whether it is there.
func TestT52Namespaces(t *testing.T) {
	set := place(t, st.UID)
	set.AllowUIDs = []int{st.SecondUID}
	o := start(t, st.UID, set)
	c := open(t, o)
	ctx := limited(t)
	must(t, c.Set(ctx, "its.there", "1"))
	_, err := c.MakeSocket(ctx, "its.there", kernel.SocketSpec{})
	must(t, err)
	_, err = c.Do(ctx, "make", "process", "its.there", "/bin/sleep", "1000")
	must(t, err)
	list, err := c.Do(ctx, "list", "processes")
	must(t, err)
	pid := strings.Fields(strings.SplitAfter(list, "pid=")[1])[0]
	theirs := func(words ...string) string {
		return tell(st.SecondUID, "ask", order{Options: o, Words: words})
	}
	for _, words := range [][]string{
		{"get", "_"}, {"list", "sockets", "_"}, {"list", "values", "_"}, {"list", "processes", "_"},
		{"remove", "sockets", "_"}, {"remove", "processes", "_"}, {"remove", "values", "_"},
		{"signal", "processes", "KILL", "_"}, {"stop", "processes", "_"}, {"watch", "processes", "_"},
		{"make", "process", "x", "/bin/echo", "$(socket._.fileno)"}, {"make", "process", "x", "listen=_", "/bin/echo"},
	} {
		with := func(name string) string {
			filled := make([]string, len(words))
			for i, w := range words {
				filled[i] = strings.ReplaceAll(w, "_", name)
			}
			return strings.ReplaceAll(theirs(filled...), name, "_")
		}
		if is, isNot := with("its.there"), with("its.missing"); is != isNot {
			t.Errorf("%q: what is another's gets %q, what is not there %q", words, is, isNot)
		}
	}
	if is, isNot := theirs("signal", "processes", "KILL", pid), theirs("signal", "processes", "KILL", "999999"); strings.ReplaceAll(is, pid, "_") != strings.ReplaceAll(isNot, "999999", "_") {
		t.Errorf("by number: what is another's gets %q, what is not there %q", is, isNot)
	}
	if said := theirs("status"); !strings.HasPrefix(said, "protocol=1\n") || strings.Contains(said, "values") || strings.Contains(said, "state") {
		t.Errorf("the status says %q", said)
	}
	for _, word := range []string{"exit-if-idle", "upgrade"} {
		if said := theirs(word); !strings.HasPrefix(said, "denied: ") {
			t.Errorf("%s: %q", word, said)
		}
	}
	if said := theirs("set", "its.there", "2"); said != "" {
		t.Errorf("a name of their own: %s", said)
	}
	if got, err := c.Get(ctx, "its.there"); got != "1" || err != nil {
		t.Errorf("theirs is mine: %q, %v", got, err)
	}
	if list, err := c.Do(ctx, "list", "processes", "its.there"); err != nil || !strings.Contains(list, "running=yes") {
		t.Errorf("the process is %q, %v", list, err)
	}
	_, err = c.Do(ctx, "stop", "processes", "its.there")
	must(t, err)
}

// TestBad89UID: nobody but root gets a process of another user, at root's own kernel neither.
func TestBad89UID(t *testing.T) {
	ctx := limited(t)
	users := place(t, st.UID)
	c := open(t, start(t, st.UID, users))
	roots := place(t, 0)
	roots.AllowUIDs = []int{st.UID}
	o := start(t, 0, roots)
	for _, option := range []string{"uid=0", "uid=root", "gid=0", fmt.Sprintf("uid=%d", st.SecondUID)} {
		words := []string{"make", "process", "x", option, "/usr/bin/id", "-u"}
		if got := tell(st.UID, "ask", order{Options: kernel.Options{Socket: users.Socket}, Words: words}); !strings.HasPrefix(got, "denied: ") {
			t.Errorf("%s at a user's kernel: %q", option, got)
		}
		if got := tell(st.UID, "ask", order{Options: o, Words: words}); !strings.HasPrefix(got, "denied: ") {
			t.Errorf("%s at root's kernel: %q", option, got)
		}
	}
	if list, err := c.Do(ctx, "list", "processes"); list != "" || err != nil {
		t.Errorf("processes: %q, %v", list, err)
	}
	// Whose it is without an option: the one's who asked.
	_, err := c.Do(ctx, "make", "process", "mine", "/usr/bin/id", "-u")
	must(t, err)
	if got := outputOf(t, c, "mine"); got != fmt.Sprintln(st.UID) {
		t.Errorf("a process of the kernel's user is uid %q", got)
	}
	if got := tell(st.UID, "ask", order{Options: o, Words: []string{"make", "process", "guest", "/usr/bin/id", "-u"}}); !strings.Contains(got, "guest") {
		t.Errorf("a guest of root's kernel: %q", got)
	}
	log := tell(st.UID, "ask", order{Options: o, Words: []string{"list", "processes"}})
	if !strings.Contains(log, fmt.Sprintf("uid=%d ", st.UID)) {
		t.Errorf("a guest's process at root's kernel: %q", log)
	}
	for _, words := range [][]string{
		{"make", "socket", "low", "port=80"}, {"make", "socket", "path", "path=/tmp/x.sock"}, {"make", "socket", "lo", "interface=lo"},
	} {
		if got := tell(st.UID, "ask", order{Options: o, Words: words}); !strings.Contains(got, "permission denied") {
			t.Errorf("%q of a guest at root's kernel: %q", words, got)
		}
	}
}

// TestClientTrust: a client does not talk to a kernel of somebody else that listens where one's own should be.
func TestClientTrust(t *testing.T) {
	set := place(t, st.SecondUID)
	set.AllowUIDs = []int{st.UID}
	start(t, st.SecondUID, set)
	o := kernel.Options{Socket: set.Socket}
	words := []string{"set", "password", "hunter2"}
	if got := tell(st.UID, "ask", order{Options: o, Words: words}); !strings.Contains(got, "neither root nor this user") {
		t.Errorf("it says %q", got)
	}
	o.Server = st.SecondUID
	if got := tell(st.UID, "ask", order{Options: o, Words: words}); got != "" {
		t.Errorf("when told to: %q", got)
	}
}

// TestPA04OneOfMany: two hundred who start a kernel at once get one.
func TestPA04OneOfMany(t *testing.T) {
	set := place(t, st.UID)
	n := 200
	said := make([]string, n)
	var work sync.WaitGroup
	turns := make(chan struct{}, 40) // this machine has two processors
	for i := range n {
		work.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			said[i] = tell(st.UID, "start", order{Settings: set})
		})
	}
	work.Wait()
	t.Cleanup(func() { stop(t, set) })
	started := 0
	for _, s := range said {
		switch s {
		case "":
			started++
		case kernel.ErrRunning.Error() + "\n":
		default:
			t.Errorf("one says %q", s)
		}
	}
	if started != 1 {
		t.Errorf("%d of %d started a kernel", started, n)
	}
	if list := kernels(t, set.Socket); len(list) != 2 {
		t.Errorf("there are %+v", list)
	}
}

// TestT49Race: the same with daemons that do not ask each other first: the lock decides.
func TestT49Race(t *testing.T) {
	set := place(t, st.UID)
	n := 200
	var mu sync.Mutex
	ready, taken := 0, 0
	var work, up sync.WaitGroup
	turns := make(chan struct{}, 40)
	for range n {
		work.Add(1)
		up.Add(1)
		go func() {
			defer work.Done()
			turns <- struct{}{}
			cmd := copyAs(st.UID, "serve", order{Settings: set})
			out, err := cmd.StdoutPipe()
			if err == nil {
				err = cmd.Start()
			}
			if err != nil {
				t.Error(err)
				up.Done()
				<-turns
				return
			}
			line, _ := bufio.NewReader(out).ReadString('\n')
			<-turns
			mu.Lock()
			switch {
			case line == "ready\n":
				ready++
			case strings.Contains(line, kernel.ErrRunning.Error()):
				taken++
			default:
				t.Errorf("one says %q", line)
			}
			mu.Unlock()
			up.Done()
			if line == "ready\n" {
				up.Wait()
				_ = cmd.Process.Signal(syscall.SIGTERM)
			}
			_ = cmd.Wait()
		}()
	}
	up.Wait()
	work.Wait()
	if ready != 1 || taken != n-1 {
		t.Errorf("%d are kernels, %d found one", ready, taken)
	}
}

// TestT49InTheWay: what is not a dead socket of this user's is not replaced.
func TestT49InTheWay(t *testing.T) {
	set := place(t, st.UID)
	dir := filepath.Dir(set.Socket)
	must(t, os.Mkdir(dir, 0o700))
	must(t, os.Chown(dir, st.UID, st.UID))
	must(t, os.Symlink("/etc/passwd", set.Socket))
	if said := tell(st.UID, "start", order{Settings: set}); !strings.Contains(said, "it stays") {
		t.Errorf("a link: %q", said)
	}
	must(t, os.Remove(set.Socket))
	must(t, os.Chmod(dir, 0o777))
	if said := tell(st.UID, "start", order{Settings: set}); !strings.Contains(said, "others can write to it") {
		t.Errorf("a directory for everyone: %q", said)
	}
	must(t, os.Chmod(dir, 0o700))
	must(t, os.Chown(dir, st.SecondUID, st.SecondUID))
	if said := tell(0, "start", order{Settings: set}); !strings.Contains(said, fmt.Sprintf("belongs to uid %d", st.UID)) {
		t.Errorf("another user's directory: %q", said)
	}
}

// TestT50Descriptors: a kernel that has no descriptors left says so to those who come, serves those who are there, and takes
// others when it has some again.
func TestT50Descriptors(t *testing.T) {
	set := place(t, st.UID)
	cmd := copyAs(st.UID, "serve", order{Settings: set, Files: 40})
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Signal(syscall.SIGTERM); _ = cmd.Wait() })
	_, err = bufio.NewReader(out).ReadString('\n')
	must(t, err)
	first := open(t, kernel.Options{Socket: set.Socket, Server: st.UID})
	must(t, first.Set(limited(t), "a", "b"))
	var conns []net.Conn
	full := false
	for i := 0; i < 60 && !full; i++ {
		conn, err := net.Dial("unix", set.Socket)
		must(t, err)
		defer conn.Close()
		conns = append(conns, conn)
		must(t, conn.SetReadDeadline(time.Now().Add(30*time.Second)))
		line, err := bufio.NewReader(conn).ReadString('\n')
		must(t, err)
		full = strings.HasPrefix(line, "Error: the kernel has no descriptors left")
		if !full && line != kernel.Banner {
			t.Errorf("connection %d reads %q", i, line)
		}
	}
	if !full {
		t.Error("nobody was told that it is full")
	}
	if got, err := first.Get(limited(t), "a"); got != "b" || err != nil {
		t.Errorf("who was there before: %q, %v", got, err)
	}
	if _, err := first.MakeSocket(limited(t), "s", kernel.SocketSpec{}); err == nil {
		t.Error("it made a socket without a descriptor")
	} else if !strings.Contains(err.Error(), "too many open files") {
		t.Errorf("a socket: %v", err)
	}
	for _, c := range conns {
		c.Close()
	}
	again := open(t, kernel.Options{Socket: set.Socket, Server: st.UID})
	if got, err := again.Get(limited(t), "a"); got != "b" || err != nil {
		t.Errorf("afterwards: %q, %v", got, err)
	}
	_, err = again.MakeSocket(limited(t), "s", kernel.SocketSpec{})
	must(t, err)
}

// TestBad87NoNewline: a line that does not end is not waited for without end; a connection that says nothing is.
func TestBad87NoNewline(t *testing.T) {
	t.Parallel()
	set := place(t, st.UID)
	start(t, st.UID, set)
	silent, err := net.Dial("unix", set.Socket)
	must(t, err)
	defer silent.Close()
	half, err := net.Dial("unix", set.Socket)
	must(t, err)
	defer half.Close()
	begin := time.Now()
	_, err = half.Write([]byte("get a"))
	must(t, err)
	must(t, half.SetReadDeadline(begin.Add(90*time.Second)))
	in := bufio.NewReader(half)
	_, err = in.ReadString('\n')
	must(t, err)
	line, err := in.ReadString('\n')
	if line != "> Error: a line was begun 30s ago and has no end; closing\n" {
		t.Errorf("it says %q, %v", line, err)
	}
	if took := time.Since(begin); took < 29*time.Second {
		t.Errorf("after %s", took)
	}
	if _, err := silent.Write([]byte("set a b\nget a\nquit\n")); err != nil {
		t.Error(err)
	}
	must(t, silent.SetReadDeadline(time.Now().Add(30*time.Second)))
	if text, err := readAll(silent); err != nil || !strings.HasSuffix(text, "> b\n> ") {
		t.Errorf("the silent one reads %q, %v", text, err)
	}
}

func readAll(conn net.Conn) (string, error) {
	var b strings.Builder
	_, err := bufio.NewReader(conn).WriteTo(&b)
	return b.String(), err
}
