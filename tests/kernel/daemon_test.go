//go:build linux

package kernel

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// TestPA08GA46GA47Daemon: what a daemon has of whoever started it: nothing.
func TestPA08GA46GA47Daemon(t *testing.T) {
	set := place(t, st.UID)
	set.PIDFile = filepath.Join(filepath.Dir(set.State), "pid") // GA-47
	must(t, os.Chown(filepath.Dir(set.PIDFile), st.UID, st.UID))
	stray, err := os.CreateTemp("", "stray")
	must(t, err)
	defer os.Remove(stray.Name())
	defer stray.Close()
	cmd := copyAs(st.UID, "start", order{Settings: set})
	cmd.ExtraFiles = []*os.File{stray, stray, stray} // what a careless shell leaves open
	cmd.Env = append(cmd.Env, "SECRET=x")
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	t.Cleanup(func() { stop(t, set) })
	must(t, open(t, kernel.Options{Socket: set.Socket, Server: st.UID}).Close())
	list := kernels(t, set.Socket)
	if len(list) != 2 {
		t.Fatalf("processes: %+v", list)
	}
	holder := list[0]
	if list[1].Parent != holder.PID {
		holder = list[1]
	}
	for _, p := range list {
		dir := "/proc/" + strconv.Itoa(p.PID) + "/"
		sid, err := syscallGetsid(p.PID)
		if err != nil || sid != holder.PID {
			t.Errorf("process %d is in session %d, %v", p.PID, sid, err)
		}
		if cwd, err := os.Readlink(dir + "cwd"); cwd != "/" || err != nil {
			t.Errorf("its directory is %q, %v", cwd, err)
		}
		if in, err := os.Readlink(dir + "fd/0"); in != os.DevNull || err != nil {
			t.Errorf("its stdin is %q, %v", in, err)
		}
		for _, fd := range []string{"1", "2"} {
			if log, err := os.Readlink(dir + "fd/" + fd); log != filepath.Join(set.State, "log") || err != nil {
				t.Errorf("its fd %s is %q, %v", fd, log, err)
			}
		}
		fds, err := os.ReadDir(dir + "fd")
		must(t, err)
		for _, fd := range fds {
			if to, _ := os.Readlink(dir + "fd/" + fd.Name()); to == stray.Name() {
				t.Errorf("fd %s of process %d is that of whoever started it", fd.Name(), p.PID)
			}
		}
		status, err := os.ReadFile(dir + "status")
		must(t, err)
		if !bytes.Contains(status, []byte("\nUmask:\t0077\n")) {
			t.Errorf("its umask is another: %s", status)
		}
		env, err := os.ReadFile(dir + "environ")
		must(t, err)
		if bytes.Contains(env, []byte("SECRET")) || bytes.Contains(env, []byte("KERNEL_")) {
			t.Errorf("its environment has %q", env)
		}
	}
	text, err := os.ReadFile(set.PIDFile)
	if string(text) != fmt.Sprintln(holder.PID) || err != nil {
		t.Errorf("the pidfile has %q, %v; the holder is %d", text, err, holder.PID)
	}
	other := place(t, st.UID)
	other.PIDFile = set.PIDFile
	if said := tell(st.UID, "start", order{Settings: other}); !strings.Contains(said, fmt.Sprintf("process %d runs, which is a kernel", holder.PID)) {
		t.Errorf("another kernel with this pidfile: %q", said)
	}
	must(t, syscall.Kill(holder.PID, syscall.SIGTERM)) // GA-47: it is the one to signal
	for begin := time.Now(); len(kernels(t, set.Socket)) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("SIGTERM does not end it")
		}
	}
	if _, err := os.Lstat(set.PIDFile); !os.IsNotExist(err) {
		t.Errorf("the pidfile is left: %v", err)
	}
	must(t, os.WriteFile(set.PIDFile, []byte(fmt.Sprintln(holder.PID)), 0o644)) // of one that was killed
	must(t, os.Chown(set.PIDFile, st.UID, st.UID))
	if said := tell(st.UID, "start", order{Settings: set}); said != "" {
		t.Errorf("a pidfile that is out of date: %q", said)
	}
}

func syscallGetsid(pid int) (int, error) {
	sid, _, errno := syscall.Syscall(syscall.SYS_GETSID, uintptr(pid), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(sid), nil
}

// TestPA03AutoStart: the first who needs a kernel starts it, and many at once start one. It stays when they end.
func TestPA03AutoStart(t *testing.T) {
	set := place(t, st.UID)
	t.Cleanup(func() { stop(t, set) })
	o := order{Options: kernel.Options{Socket: set.Socket, Start: true, Settings: kernel.Settings{State: set.State}}}
	said := make(chan string)
	for i := range 20 {
		o := o
		o.Words = []string{"set", fmt.Sprint("v", i), "x"}
		go func() { said <- tell(st.UID, "ask", o) }()
	}
	for range 20 {
		if s := <-said; s != "" {
			t.Errorf("one says %q", s)
		}
	}
	if list := kernels(t, set.Socket); len(list) != 2 {
		t.Errorf("processes: %+v", list)
	}
	values, err := open(t, kernel.Options{Socket: set.Socket, Server: st.UID}).Values(limited(t))
	if len(values) != 20 || err != nil {
		t.Errorf("%d values, %v", len(values), err)
	}
}

// TestPA10Idle: a kernel that keeps nothing ends when it is told so; what was kept is there in the next one.
func TestPA10Idle(t *testing.T) {
	ctx := limited(t)
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	c := open(t, o)
	must(t, c.Set(ctx, "a", "b"))
	if idle, err := c.ExitIfIdle(ctx); idle || err != nil {
		t.Errorf("with a value: %v, %v", idle, err)
	}
	stop(t, set)
	c = open(t, start(t, st.UID, set))
	if got, err := c.Get(ctx, "a"); got != "b" || err != nil {
		t.Errorf("PA-39: after another start: %q, %v", got, err)
	}
	must(t, c.Set(ctx, "a", ""))
	if idle, err := c.ExitIfIdle(ctx); !idle || err != nil {
		t.Errorf("with nothing: %v, %v", idle, err)
	}
	for begin := time.Now(); len(kernels(t, set.Socket)) > 0; time.Sleep(5 * time.Millisecond) {
		if time.Since(begin) > time.Minute {
			t.Fatal("it does not end")
		}
	}
}

// TestDefaultPlaces: root's kernel and a user's are where the documentation says.
func TestDefaultPlaces(t *testing.T) {
	set := place(t, st.UID)
	state := filepath.Dir(set.State)
	must(t, os.Chown(state, st.UID, st.UID))
	cmd := copyAs(st.UID, "ask", order{Options: kernel.Options{Start: true}, Words: []string{"status"}})
	cmd.Env = append(cmd.Env, "HOME="+st.Home, "XDG_STATE_HOME="+state, "XDG_RUNTIME_DIR=")
	out, err := cmd.CombinedOutput()
	socket := filepath.Join(state, "deliveryboy", "kernel.sock")
	t.Cleanup(func() { stop(t, kernel.Settings{Socket: socket}) })
	for _, want := range []string{"socket=" + socket, "state=" + filepath.Join(state, "deliveryboy", "kernel"), fmt.Sprintf("uid=%d", st.UID)} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("no %s in %q, %v", want, out, err)
		}
	}
}

// A service is a kernel with a socket of systemd's, which it tells how it is. The test plays systemd.
type service struct {
	socket, state string
	file          *os.File // the socket
	news          *net.UnixConn
}

func newService(t *testing.T) *service {
	set := place(t, 0)
	dir := filepath.Dir(set.State)
	s := &service{socket: filepath.Join(dir, "sd.sock"), state: set.State}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: s.socket, Net: "unix"})
	must(t, err)
	t.Cleanup(func() { _ = l.Close() })
	s.file, err = l.File()
	must(t, err)
	t.Cleanup(func() { _ = s.file.Close() })
	s.news, err = net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(dir, "notify"), Net: "unixgram"})
	must(t, err)
	t.Cleanup(func() { _ = s.news.Close() })
	must(t, s.news.SetReadDeadline(time.Now().Add(time.Minute)))
	return s
}

// start starts the service's process.
func (s *service) start(t *testing.T) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(limited(t), "/bin/sh", "-c", `exec "$0"`, st.Binary)
	cmd.Env = append(os.Environ(), "KERNEL_ROLE=systemd", fmt.Sprintf(`KERNEL_ORDER={"Settings":{"State":%q}}`, s.state),
		"NOTIFY_SOCKET="+s.news.LocalAddr().String())
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{s.file}, os.Stdout, os.Stderr
	must(t, cmd.Start())
	return cmd
}

// hears looks that systemd is told that the service is ready, and its main process.
func (s *service) hears(t *testing.T, pid int) {
	t.Helper()
	buf := make([]byte, 1000)
	n, err := s.news.Read(buf)
	if want := fmt.Sprintf("READY=1\nMAINPID=%d\n", pid); string(buf[:n]) != want || err != nil {
		t.Errorf("systemd hears %q, %v, and not %q", buf[:n], err, want)
	}
}

// TestSystemd: the kernel tells that it is ready, and leaves systemd's socket where it is.
func TestSystemd(t *testing.T) {
	s := newService(t)
	cmd := s.start(t)
	s.hears(t, cmd.Process.Pid)
	c := open(t, kernel.Options{Socket: s.socket})
	must(t, c.Set(limited(t), "a", "b"))
	must(t, c.Close())
	must(t, cmd.Process.Signal(syscall.SIGTERM))
	must(t, cmd.Wait())
	if _, err := os.Lstat(s.socket); err != nil {
		t.Errorf("systemd's socket is removed: %v", err)
	}
}

// TestSystemdHolderDies: systemd sees that the process has died which it watched, and starts the service again; that makes the
// kernel known which goes on, and is not one of its own.
func TestSystemdHolderDies(t *testing.T) {
	for range rounds(3) {
		s := newService(t)
		first := s.start(t)
		s.hears(t, first.Process.Pid)
		c := open(t, kernel.Options{Socket: s.socket})
		heir := serverOf(t, c)
		must(t, c.Set(limited(t), "a", "b"))
		must(t, first.Process.Kill())
		_ = first.Wait()
		again := s.start(t)
		s.hears(t, heir)
		must(t, again.Wait())
		if got, err := c.Get(limited(t), "a"); string(got) != "b" || err != nil {
			t.Errorf("%q, %v", got, err)
		}
		must(t, c.Close())
		must(t, syscall.Kill(heir, syscall.SIGTERM))
		stop(t, kernel.Settings{Socket: s.socket, State: s.state})
	}
}
