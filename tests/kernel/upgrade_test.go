//go:build linux

package kernel

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// broken is what copies of this binary do that have certain names: they answer like a kernel, and cannot be one.
func broken() {
	if len(os.Args) < 3 || os.Args[2] != "kernel-server" {
		return
	}
	switch path, _ := os.Executable(); filepath.Base(path) {
	case "broken":
		os.Exit(70)
	case "hangs":
		time.Sleep(time.Hour)
	}
}

// program is a copy of this binary under another name.
func program(t *testing.T, set kernel.Settings, name string) string {
	t.Helper()
	path := filepath.Join(filepath.Dir(set.State), name)
	from, err := os.Open(st.Binary)
	must(t, err)
	defer from.Close()
	to, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o755)
	must(t, err)
	_, err = io.Copy(to, from)
	must(t, err)
	must(t, to.Close())
	return path
}

// runs is the program that a process is.
func runs(t *testing.T, pid int) string {
	t.Helper()
	path, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	must(t, err)
	return path
}

// A load is what clients do all the time: connect, set and get values. No connection may be refused, no reply may be wrong,
// and connections that are there stay.
type load struct {
	connects, requests atomic.Int64
	mu                 sync.Mutex
	wrong              []string
	work               sync.WaitGroup
	stop               context.CancelFunc
}

func (l *load) fail(format string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.wrong = append(l.wrong, fmt.Sprintf(format, args...))
}

func begin(t *testing.T, socket string) *load {
	ctx, cancel := context.WithCancel(t.Context())
	l := &load{stop: cancel}
	for i := range 2 {
		l.work.Go(func() {
			for ; ctx.Err() == nil; l.connects.Add(1) {
				l.connect(socket)
			}
		})
		l.work.Go(func() { l.talk(ctx, socket, fmt.Sprintf("v%d", i)) })
	}
	return l
}

// connect is a connection for one command.
func (l *load) connect(socket string) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		l.fail("refused: %v", err)
		return
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	_, _ = io.WriteString(conn, "get nothing\nquit\n")
	if text, err := io.ReadAll(conn); err != nil || !strings.HasPrefix(string(text), kernel.Banner) {
		l.fail("a new connection reads %q, %v", text, err)
	}
}

// talk is one connection that stays, and hears what it said.
func (l *load) talk(ctx context.Context, socket, name string) {
	conn, err := net.Dial("unix", socket)
	if err != nil {
		l.fail("refused: %v", err)
		return
	}
	defer conn.Close()
	read := func(want string) bool {
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		buf := make([]byte, len(want))
		if n, err := io.ReadFull(conn, buf); err != nil || string(buf) != want {
			l.fail("it reads %q, %v, instead of %q", buf[:n], err, want)
			return false
		}
		return true
	}
	if !read(kernel.Banner + "> ") {
		return
	}
	for n := 0; ctx.Err() == nil; n++ {
		_, _ = fmt.Fprintf(conn, "set %s %d\nge", name, n) // a line in two pieces
		if !read("> ") {
			return
		}
		_, _ = fmt.Fprintf(conn, "t %s\n", name)
		if !read(fmt.Sprintf("%d\n> ", n)) {
			return
		}
		l.requests.Add(2)
	}
}

func (l *load) end(t *testing.T) {
	t.Helper()
	l.stop()
	l.work.Wait()
	if len(l.wrong) > 0 {
		t.Errorf("%d things went wrong, first: %s", len(l.wrong), l.wrong[0])
	}
	t.Logf("%d connections, %d requests", l.connects.Load(), l.requests.Load())
}

// TestUpgrade: the kernel becomes another program, again and again, while clients connect, set and get, and processes print.
func TestUpgrade(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	o.Timeout = time.Minute
	c := open(t, o)
	programs := []string{program(t, set, "one"), program(t, set, "two")}
	times := sized(6, 20)
	k := hire(t, c, 10, times*400, kernel.ProcessSpec{})
	w, err := open(t, o).WatchProcesses(limited(t), kernel.WatchOptions{}, "count.*")
	must(t, err)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var heard *tally
	var work sync.WaitGroup
	work.Go(func() { heard = k.hear(ctx, w) })
	l := begin(t, set.Socket)
	holder, server := roles(t, set.Socket)
	for i := range times {
		before := l.requests.Load()
		said, err := c.Upgrade(ctx, programs[i%2])
		if err != nil {
			t.Fatalf("upgrade %d: %v", i, err)
		}
		h, s := roles(t, set.Socket)
		if h != holder || s != server {
			t.Fatalf("holder %d and server %d, and after the upgrade %d and %d: %s", holder, server, h, s, said)
		}
		for _, pid := range []int{h, s} {
			if got := runs(t, pid); got != programs[i%2] {
				t.Fatalf("process %d runs %s after the upgrade to %s", pid, got, programs[i%2])
			}
		}
		for end := time.Now().Add(time.Minute); l.requests.Load() < before+20; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatal("requests are not answered any more")
			}
		}
	}
	work.Wait()
	l.end(t)
	k.check("the watch", heard)
	k.accounted(c, set.Socket)
	must(t, syscall.Kill(server, syscall.SIGKILL)) // the holder that became another program still does its work
	if got, err := open(t, o).Get(ctx, "v0"); got == "" || err != nil {
		t.Errorf("after the server's death: %q, %v", got, err)
	}
}

// TestUpgradeKeepsConnections: half a line, a watch that has shown something, a command that waits.
func TestUpgradeKeepsConnections(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	c := open(t, o)
	dial := func() *person { return dial(t, set.Socket) }
	half, idle, shown, stopping := dial(), dial(), dial(), dial()
	half.say("set v \"one ")
	_, err := c.MakeProcess(limited(t), "a", kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", "echo one; read x; echo two; read x"}, Stdin: kernel.Pipe})
	must(t, err)
	shown.say("watch processes a\n")
	shown.expect("one\n\n] ")
	_, err = c.MakeProcess(limited(t), "b", kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", "read x"}, Stdin: kernel.Pipe})
	must(t, err)
	idle.say("watch processes b\n")
	_, err = c.MakeProcess(limited(t), "deaf", kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done"}})
	must(t, err)
	for p := (kernel.Process{}); p.Kept == 0; {
		list, err := c.Processes(limited(t), "deaf")
		must(t, err)
		p = list[0]
	}
	stopping.say("stop processes grace=1000 deaf\nget v\n")
	_, err = c.Upgrade(limited(t), program(t, set, "one"))
	must(t, err)
	half.say("two\"\nget v\n")
	half.expect("> one two\n> ")
	shown.say("\n") // what was shown before the upgrade is acknowledged after it
	must(t, c.Send(limited(t), "a", []byte("\n")))
	if got := shown.expect("] "); strings.Contains(got, "one") || !strings.Contains(got, "two") {
		t.Errorf("after the acknowledgement: %q", got)
	}
	shown.say("q\n")
	shown.expect("Stopped watching\n> ")
	must(t, c.Send(limited(t), "b", []byte("\n")))
	idle.expect("closed:b:")
	idle.say("q\n")
	idle.expect("> ")
	must(t, c.SignalProcesses(limited(t), "KILL", "deaf"))
	stopping.expect("> one two\n> ")
}

// TestUpgradeRefuses what cannot be a kernel, and TestUpgradeFalls back from what turns out to be none.
func TestUpgradeRefuses(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	c := open(t, o)
	must(t, c.Set(limited(t), "v", "1"))
	_, before := roles(t, set.Socket)
	writable, theirs := program(t, set, "writable"), program(t, set, "theirs")
	must(t, os.Chmod(writable, 0o775))
	must(t, os.Chown(theirs, st.SecondUID, -1))
	for path, want := range map[string]string{
		"/bin/true": "it is no program that could be a kernel", "/no/such": "no such file", "relative": "absolute path", "/etc/passwd": "not executable",
		"/tmp": "it is no file", writable: "can write to it", theirs: "belongs neither",
	} {
		if _, err := c.Upgrade(limited(t), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if _, after := roles(t, set.Socket); after != before {
		t.Errorf("server %d, and now %d", before, after)
	}
	if _, err := c.Upgrade(limited(t), program(t, set, "broken")); err == nil || !strings.Contains(err.Error(), "connection ended") && !strings.Contains(err.Error(), "did not get ready") {
		t.Errorf("a program that cannot start: %v", err)
	}
	if got, err := open(t, o).Get(limited(t), "v"); got != "1" || err != nil {
		t.Errorf("%q, %v: the program before goes on", got, err)
	}
	if _, server := roles(t, set.Socket); runs(t, server) != st.Binary {
		t.Errorf("the server is %s", runs(t, server))
	}
}

// TestFault32Terminated: SIGTERM under load. What was asked is answered, and the kernel ends.
func TestFault32Terminated(t *testing.T) {
	for _, who := range []string{"holder", "server"} {
		t.Run(who, func(t *testing.T) {
			set := place(t, st.UID)
			o := start(t, st.UID, set)
			_, err := open(t, o).MakeProcess(limited(t), "a", kernel.ProcessSpec{Args: []string{"/bin/sleep", "1000"}})
			must(t, err)
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			var asked, answered [4]int
			var work sync.WaitGroup
			for i := range asked {
				c := dial(t, set.Socket)
				work.Go(func() {
					for ctx.Err() == nil {
						asked[i]++
						if _, err := fmt.Fprintf(c.conn, "set v%d %d\n", i, asked[i]); err != nil {
							asked[i]--
							return
						}
						if !c.reads("> ") {
							return
						}
						answered[i]++
					}
				})
			}
			for { // there is load
				if got, err := open(t, o).Get(limited(t), "v3"); err == nil && len(got) > 1 {
					break
				}
			}
			holder, server := roles(t, set.Socket)
			begin := time.Now()
			must(t, syscall.Kill(map[string]int{"holder": holder, "server": server}[who], syscall.SIGTERM))
			for len(kernels(t, set.Socket)) > 0 && time.Since(begin) < time.Minute {
				time.Sleep(5 * time.Millisecond)
			}
			t.Logf("ended after %s", time.Since(begin).Round(time.Millisecond))
			work.Wait()
			if left := kernels(t, set.Socket); len(left) > 0 {
				t.Fatalf("%+v is left", left)
			}
			c := open(t, start(t, st.UID, set))
			for i := range asked {
				got, err := c.Get(limited(t), fmt.Sprintf("v%d", i))
				if want := fmt.Sprint(answered[i]); err != nil || got != want && got != fmt.Sprint(answered[i]+1) {
					t.Errorf("%d of %d requests were answered, and the value is %q, %v", answered[i], asked[i], got, err)
				}
			}
			list, err := c.Processes(limited(t))
			must(t, err)
			if len(list) != 1 || !list[0].Running {
				t.Errorf("%+v: processes go on", list)
			}
			must(t, c.SignalProcesses(limited(t), "KILL", "*"))
		})
	}
}

// A person talks to a kernel by hand.
type person struct {
	t    *testing.T
	conn net.Conn
	said string
}

func dial(t *testing.T, socket string) *person {
	t.Helper()
	conn, err := net.Dial("unix", socket)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(2 * time.Minute))
	p := &person{t: t, conn: conn}
	p.expect("> ")
	return p
}

func (p *person) say(text string) { _, _ = io.WriteString(p.conn, text) }

// reads reads until the part has come.
func (p *person) reads(part string) bool {
	for buf := make([]byte, 4096); !strings.Contains(p.said, part); {
		n, err := p.conn.Read(buf)
		if err != nil {
			return false
		}
		p.said += string(buf[:n])
	}
	_, p.said, _ = strings.Cut(p.said, part)
	return true
}

// expect returns what comes up to the part, and that.
func (p *person) expect(part string) string {
	p.t.Helper()
	for buf := make([]byte, 4096); ; {
		if before, after, ok := strings.Cut(p.said, part); ok {
			p.said = after
			return before + part
		}
		n, err := p.conn.Read(buf)
		if err != nil {
			p.t.Fatalf("waiting for %q: %v; it said %q", part, err, p.said)
		}
		p.said += string(buf[:n])
	}
}
