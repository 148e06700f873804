//go:build linux

package pool

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/tests/play"
	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

func itoa(n int) string { return strconv.Itoa(n) }

// EB-01: whoever has something run starts no process for it.
func TestEB01NoForkInTheClient(t *testing.T) {
	st.NeedRoot(t)
	srv := serve(t, settings{})
	c := dial(t, srv.path)
	before, err := st.Children(os.Getpid())
	must(t, err)
	h, err := c.Start(t.Context(), "cat")
	must(t, err)
	defer h.Close()
	after, err := st.Children(os.Getpid())
	must(t, err)
	workers, err := st.Children(srv.Cmd.Process.Pid)
	must(t, err)
	if len(after) != len(before) || len(workers) == 0 {
		t.Errorf("the client has %d children, then %d; the server has %d", len(before), len(after), len(workers))
	}
	ours := false
	for _, w := range workers {
		list, err := st.Children(w.PID, "cat")
		must(t, err)
		ours = ours || len(list) == 1 && list[0].PID == h.PID()
	}
	if !ours {
		t.Errorf("process %d is no child of a worker", h.PID())
	}
	srv.Term(t)
}

// TestEB02EB04EB10Ways: over the socket, over a process that connects, over ssh: the same server.
func TestEB02EB04EB10Ways(t *testing.T) {
	srv := serve(t, settings{})
	for name, via := range map[string]transport.Transport{
		"socket": pool.Socket{Path: srv.path}, "connector": transport.Socket{Path: srv.path},
		"ssh": transport.Chain{sshHop(), transport.Socket{Path: srv.path}},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "ssh" {
				st.NeedSSH(t)
			}
			c, err := pool.DialVia(limited(t), via)
			must(t, err)
			defer c.Close()
			out, err := c.Run(t.Context(), "id", "-u")
			if err != nil || string(out.Stdout) != itoa(os.Getuid())+"\n" {
				t.Errorf("%q, %v", out.Stdout, err)
			}
			h, err := c.Start(t.Context(), "cat")
			must(t, err)
			body := bytes.Repeat([]byte("foo\r\nbar\x00"), 100_000)
			got, _, err := h.Communicate(t.Context(), body)
			if err != nil || !bytes.Equal(got, body) {
				t.Errorf("%d of %d bytes came back, %v", len(got), len(body), err)
			}
			must(t, h.Close())
			who, err := whoami.On(delivery.Once{Via: via})()
			if err != nil || who.UID != os.Getuid() {
				t.Errorf("%+v, %v", who, err)
			}
		})
	}
	srv.Term(t)
	nothingLeft(t, "the end of a server")
}

// EB-09: the directory and the socket are closed to others, and what is there already is not replaced by it.
func TestEB09Socket(t *testing.T) {
	srv := serve(t, settings{})
	for name, mode := range map[string]os.FileMode{filepath.Dir(srv.path): 0o700, srv.path: 0o600} {
		info, err := os.Stat(name)
		must(t, err)
		if info.Mode().Perm() != mode {
			t.Errorf("%s has mode %04o", name, info.Mode().Perm())
		}
	}
	must(t, srv.Cmd.Process.Kill())
	_ = srv.Cmd.Wait()
	next := serve(t, settings{Socket: srv.path}) // what a killed one left is replaced
	second := launch(t, settings{Socket: srv.path})
	second.Wait(t, "another server is there")
	next.Term(t)
	for name, put := range map[string]func() error{
		"a file": func() error { return os.WriteFile(srv.path, nil, 0o600) },
		"a link": func() error { return os.Symlink("/tmp/elsewhere", srv.path) },
	} {
		must(t, put())
		launch(t, settings{Socket: srv.path}).Wait(t, "failed:", "it stays")
		if _, err := os.Lstat(srv.path); err != nil {
			t.Errorf("%s was replaced", name)
		}
		must(t, os.Remove(srv.path))
	}
	if err := os.Chmod(filepath.Dir(srv.path), 0o777); err != nil {
		t.Fatal(err)
	}
	launch(t, settings{Socket: srv.path}).Wait(t, "failed:", "group or others can write to it")
}

// Of many servers that are started at once on one socket, one serves, and the others say why they do not.
func TestStartRace(t *testing.T) {
	const many = 8
	path := play.Socket(t, "pool.sock")
	must(t, os.Mkdir(filepath.Dir(path), 0o700))
	var all []*server
	for range many {
		all = append(all, launch(t, settings{Socket: path, Size: 1}))
	}
	serving := 0
	for _, srv := range all {
		if srv.serves(t) {
			serving++
		}
	}
	if serving != 1 {
		t.Errorf("%d of %d serve", serving, many)
	}
}

// Another user is refused, with one text, unless a rule admits him, and then has what it allows.
func TestOtherUsers(t *testing.T) {
	st.NeedSudo(t)
	st.NeedSecond(t)
	closed := serve(t, settings{Socket: openDir(t)})
	must(t, os.Chmod(closed.path, 0o666)) // it is not the mode that keeps them out
	ruled := serve(t, settings{Rules: []pool.Rule{{User: st.Second, Commands: [][]string{{"/usr/bin/id", "-u"}}}}})
	grouped := serve(t, settings{Rules: []pool.Rule{{Group: "#" + itoa(st.SecondGID), Commands: [][]string{{"/usr/bin/id", "-u"}}}}})
	second := delivery.Once{Via: transport.Sudo{User: st.Second}}
	id, date := []string{"/usr/bin/id", "-u"}, []string{"/bin/date"}
	mine := itoa(st.UID) + "\n"
	for _, c := range []struct {
		name       string
		by         delivery.Once
		path, user string
		argv       []string
		want       error // nil: it runs, as the server's user
	}{
		{"nobody's rule", second, closed.path, st.User, id, pool.ErrRefused},
		{"a rule", second, ruled.path, st.User, id, nil},
		{"a rule for a group", second, grouped.path, "#" + itoa(st.UID), id, nil},
		{"another command", second, ruled.path, st.User, date, &pool.DeniedError{}},
		{"a server that is not trusted", second, ruled.path, "", id, pool.ErrUntrusted},
		{"a server of another user", second, ruled.path, "daemon", id, pool.ErrUntrusted},
		{"root", delivery.Once{Via: transport.Sudo{}}, closed.path, st.User, id, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := guestRun.On(c.by)(limited(t), c.path, c.user, c.argv)
			var denied *pool.DeniedError
			switch {
			case c.want == nil && (err != nil || string(out.Stdout) != mine):
				t.Errorf("%q, %+v", out.Stdout, err)
			case c.want == nil:
			case errors.As(c.want, &denied):
				if !errors.As(err, &denied) || denied.UID != st.SecondUID {
					t.Errorf("%+v", err)
				}
			case err == nil || !strings.Contains(err.Error(), c.want.Error()):
				t.Errorf("%+v; want %v", err, c.want)
			}
		})
	}
	closed.Wait(t, "msg=refused", "may not connect here", "uid="+itoa(st.SecondUID))
	ruled.Wait(t, "msg=refused", "may not have this done here")
}

// openDir is a socket in a directory that others can look into.
func openDir(t *testing.T) string {
	t.Helper()
	path := play.Socket(t, "pool.sock")
	must(t, os.Mkdir(filepath.Dir(path), 0o755))
	must(t, os.Chmod(filepath.Dir(path), 0o755))
	return path
}

// EB-26: ps shows who is what.
func TestEB26Titles(t *testing.T) {
	srv := serve(t, settings{Size: 2})
	c := dial(t, srv.path)
	out, err := c.Shell(t.Context(), "cat /proc/$PPID/comm")
	if err != nil || !strings.HasPrefix(string(out.Stdout), "pool worker ") {
		t.Errorf("%q, %v", out.Stdout, err)
	}
}

// A thousand connections that say nothing, and a thousand clients without a command, keep nobody out.
func TestIdleConnections(t *testing.T) {
	const many = 1000
	srv := serve(t, settings{Size: 2, Patience: 2 * time.Second})
	silent := make([]net.Conn, many)
	for i := range silent {
		silent[i] = connect(t, srv.path)
	}
	out, err := dial(t, srv.path).Run(t.Context(), "echo", "here")
	if err != nil || string(out.Stdout) != "here\n" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
	buf := make([]byte, 100)
	for _, conn := range silent {
		must(t, conn.SetReadDeadline(time.Now().Add(patience)))
		if n, err := conn.Read(buf); err != nil || !strings.HasPrefix(string(buf[:n]), "refused ") {
			t.Fatalf("a silent one was told %q, %v", buf[:n], err)
		}
		conn.Close()
	}
	srv.Term(t)
}

func connect(t *testing.T, path string) net.Conn {
	t.Helper()
	conn, err := net.Dial("unix", path)
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	return conn
}

// Clients without a command hold no worker.
func TestIdleClients(t *testing.T) {
	srv := serve(t, settings{Size: 1})
	for range 40 {
		c := dial(t, srv.path)
		if out, err := c.Run(limited(t), "true"); err != nil || out.Code != 0 {
			t.Fatalf("%+v, %v", out, err)
		}
	}
}

// A server that has no descriptors left serves again when it has.
func TestNoDescriptors(t *testing.T) {
	srv := serve(t, settings{Size: 1, Files: 64, Patience: time.Minute})
	silent := make([]net.Conn, 80)
	for i := range silent {
		silent[i] = connect(t, srv.path)
	}
	srv.Wait(t, "cannot take connections")
	for _, conn := range silent {
		conn.Close()
	}
	for deadline := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		c, err := pool.Dial(ctx, srv.path)
		if err == nil {
			_, err = c.Run(ctx, "true")
			_ = c.Close()
		}
		cancel()
		if err == nil {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
	srv.Term(t)
}

// EB-25 and fault 32: a server that is to end lets commands that run come to their end, refuses others, and is gone in
// time; no command fails but by that it did not begin.
func TestEB25DrainUnderLoad(t *testing.T) {
	srv := serve(t, settings{Size: 4})
	var work sync.WaitGroup
	var ran atomic.Int64
	half := make(chan struct{})
	for i := range 8 {
		c := dial(t, srv.path)
		work.Go(func() {
			for n := range 10_000 {
				want := fmt.Sprintf("%d %d\n", i, n)
				out, err := c.Run(context.Background(), "echo", itoa(i), itoa(n))
				switch {
				case err == nil && string(out.Stdout) == want && out.Code == 0:
					if ran.Add(1) == 100 {
						close(half)
					}
					continue
				case err == nil:
					t.Errorf("%q, %+v", out.Stdout, out)
				case !errors.Is(err, pool.ErrClosed) && !notStarted(err):
					t.Errorf("%+v", err)
				}
				return
			}
		})
	}
	<-half
	srv.Term(t)
	work.Wait()
	nothingLeft(t, "a server that drained")
}

// notStarted reports whether a call failed before its function ran.
func notStarted(err error) bool {
	var d *box.DeliveryError
	return errors.As(err, &d) && d.Fate == box.NotStarted && errors.Is(err, session.ErrLost)
}

// Draining is bounded: what does not end is ended.
func TestDrainIsBounded(t *testing.T) {
	srv := serve(t, settings{Size: 1, Drain: 100 * time.Millisecond})
	h, err := dial(t, srv.path).Start(t.Context(), "sh", "-c", "trap '' TERM; echo up; sleep 1000; sleep 1000")
	must(t, err)
	defer h.Close()
	if _, err := h.Stdout.Read(make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	srv.Term(t)
	if _, err := h.Wait(limited(t)); err == nil {
		t.Error("the command survived its server")
	}
	nothingLeft(t, "a server that was told to end")
}

// EB-34: a command that takes too long is ended, with its children, and its client goes on.
func TestEB34TaskTimeout(t *testing.T) {
	srv := serve(t, settings{Size: 1, Timeout: 300 * time.Millisecond})
	c := dial(t, srv.path)
	_, err := c.Shell(t.Context(), "sleep 1000 & sleep 1000")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%+v", err)
	}
	out, err := c.Run(t.Context(), "echo", "on")
	if err != nil || string(out.Stdout) != "on\n" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
	srv.Term(t)
	nothingLeft(t, "a command that took too long")
}

// EB-33: what comes over the socket is no program, and no type but those that are registered: bytes that are no box, and
// boxes that are no call, are refused, and the server serves on.
func TestEB33HostileBytes(t *testing.T) {
	srv := serve(t, settings{Size: 1, Patience: 500 * time.Millisecond})
	for name, text := range map[string]string{
		"nothing": "", "HTTP": "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "a pickle": "cos\nsystem\n(S'touch /tmp/owned'\ntR.",
		"zeros": strings.Repeat("\x00", 1<<16), "endless": strings.Repeat("A", 1<<20),
	} {
		t.Run(name, func(t *testing.T) {
			conn := connect(t, srv.path).(*net.UnixConn)
			theirIn, ourIn, err := os.Pipe()
			must(t, err)
			ourOut, theirOut, err := os.Pipe()
			must(t, err)
			must(t, handover.Ask(conn, "", theirIn, theirOut, theirOut))
			theirIn.Close()
			theirOut.Close()
			wrote := make(chan struct{})
			go func() {
				defer close(wrote)
				_, _ = ourIn.WriteString(text)
			}()
			must(t, conn.SetReadDeadline(time.Now().Add(patience)))
			answer := make([]byte, 100)
			var said strings.Builder
			for {
				n, err := conn.Read(answer)
				said.Write(answer[:n])
				if err != nil {
					break
				}
			}
			if !strings.Contains(said.String(), "exit 1") {
				t.Errorf("it was told %q", said.String())
			}
			ourOut.Close()
			ourIn.Close()
			<-wrote
		})
	}
	if _, err := os.Stat("/tmp/owned"); err == nil {
		t.Error("it ran what it was sent")
	}
	out, err := dial(t, srv.path).Run(t.Context(), "true")
	if err != nil || out.Code != 0 {
		t.Errorf("%+v, %v", out, err)
	}
	srv.Term(t)
}
