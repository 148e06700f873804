//go:build linux

// Package kernel tests the process kernel against real parts: daemons, nc, other users, limits of the system, and deaths.
// The tests run as root in a private place on this machine, and kernels as the user whose they are; see tests/stage.
// KERNEL_ROUNDS is how often what kills is repeated, KERNEL_FULL=1 runs at full size.
package kernel

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/server"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var st *stage.Stage

// The test binary is the holder and the server, and whoever starts or asks a kernel as another user.
func TestMain(m *testing.M) {
	broken()
	delivery.Main()
	if role := os.Getenv("KERNEL_ROLE"); role != "" {
		os.Exit(play(role))
	}
	st = stage.Enter(stage.Options{StayRoot: true, Keep: []string{"KERNEL_*"}})
	os.Exit(m.Run())
}

// An order is what a copy of the test binary is to do.
type order struct {
	Settings kernel.Settings
	Options  kernel.Options
	Files    uint64 // how many descriptors it may have; 0: as many as usual
	Words    []string
}

// play plays a part: "serve" is a kernel in this process, "systemd" is one with a socket
// that is there, "start" starts one, "ask" gives one a command.
func play(role string) int {
	var o order
	if err := json.Unmarshal([]byte(os.Getenv("KERNEL_ORDER")), &o); err != nil {
		fmt.Println(err)
		return 2
	}
	_ = os.Unsetenv("KERNEL_ROLE") // not for what it starts
	_ = os.Unsetenv("KERNEL_ORDER")
	if o.Files > 0 {
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: o.Files, Max: o.Files}); err != nil {
			fmt.Println(err)
			return 2
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var err error
	switch role {
	case "serve":
		_, err = server.Run(o.Settings, nil, func() { fmt.Println("ready") })
	case "systemd":
		var l net.Listener
		if l, err = net.FileListener(os.NewFile(3, "")); err == nil {
			_, err = server.Run(o.Settings, l.(*net.UnixListener), func() {})
		}
	case "start":
		err = kernel.Start(ctx, o.Settings)
	case "ask":
		err = ask(ctx, o)
	}
	if err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

func ask(ctx context.Context, o order) error {
	c, err := kernel.Open(ctx, o.Options)
	if err != nil {
		return err
	}
	defer c.Close()
	body, err := c.Do(ctx, o.Words...)
	fmt.Print(body)
	if errors.Is(err, kernel.ErrDenied) {
		fmt.Print("denied: ")
	}
	return err
}

// copyAs is a copy of the test binary with a part to play, as a user; 0 is root.
func copyAs(uid int, role string, o order) *exec.Cmd {
	text, err := json.Marshal(o)
	if err != nil {
		panic(err)
	}
	cmd := exec.Command(st.Binary) //nolint:noctx // it has a time limit of its own, or the test ends it
	cmd.Env = append(os.Environ(), "KERNEL_ROLE="+role, "KERNEL_ORDER="+string(text))
	cmd.Dir = "/"
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	return cmd
}

// tell runs a copy to its end and returns what it says.
func tell(uid int, role string, o order) string {
	out, err := copyAs(uid, role, o).CombinedOutput()
	if err != nil && !errors.As(err, new(*exec.ExitError)) {
		return err.Error()
	}
	return string(out)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// limited is a context for what should not take long on a slow machine.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	return ctx
}

// rounds is how often something is repeated that goes wrong only at times.
func rounds(few int) int {
	if n, err := strconv.Atoi(os.Getenv("KERNEL_ROUNDS")); err == nil && n > 0 {
		return n
	}
	return few
}

// place is a directory of a user, with a short name, and the settings of a kernel in it.
func place(t *testing.T, uid int) kernel.Settings {
	t.Helper()
	st.NeedSecond(t)
	dir, err := os.MkdirTemp("/tmp", "k")
	must(t, err)
	must(t, os.Chown(dir, uid, uid))
	must(t, os.Chmod(dir, 0o711))
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return kernel.Settings{Socket: filepath.Join(dir, "r", "k.sock"), State: filepath.Join(dir, "state")}
}

// start starts a kernel of a user, which ends with the test.
func start(t *testing.T, uid int, set kernel.Settings) kernel.Options {
	t.Helper()
	if said := tell(uid, "start", order{Settings: set}); said != "" {
		t.Fatalf("it did not start: %s", said)
	}
	t.Cleanup(func() { stop(t, set) })
	o := kernel.Options{Socket: set.Socket, Server: uid}
	c, err := kernel.Open(limited(t), o) // it serves
	must(t, err)
	must(t, c.Close())
	return o
}

// stop ends a kernel and waits for that: the lock is free then.
func stop(t *testing.T, set kernel.Settings) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(5 * time.Millisecond) {
		alive := false
		for _, p := range kernels(t, set.Socket) {
			alive = true
			_ = syscall.Kill(p.PID, syscall.SIGTERM)
		}
		if !alive {
			break
		}
		if time.Since(begin) > time.Minute {
			t.Errorf("the kernel does not end: %+v", kernels(t, set.Socket))
			break
		}
	}
	if t.Failed() {
		text, _ := os.ReadFile(filepath.Join(set.State, "log"))
		t.Logf("the kernel's log:\n%s", text)
	}
}

// A process is one of those on the stage.
type process struct {
	PID, Parent int
	State       string
	Argv        []string
}

// processes are all on the stage.
func processes(t *testing.T) []process {
	t.Helper()
	entries, err := os.ReadDir("/proc")
	must(t, err)
	var list []process
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		stat, err := os.ReadFile("/proc/" + e.Name() + "/stat")
		if err != nil {
			continue
		}
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		cmdline, _ := os.ReadFile("/proc/" + e.Name() + "/cmdline")
		parent, _ := strconv.Atoi(fields[1])
		list = append(list, process{pid, parent, fields[0], strings.Split(strings.TrimSuffix(string(cmdline), "\x00"), "\x00")})
	}
	return list
}

// kernels are the holders and servers of a kernel, by its socket.
func kernels(t *testing.T, socket string) []process {
	t.Helper()
	var list []process
	for _, p := range processes(t) {
		if len(p.Argv) >= 4 && p.Argv[1] == "__keep" && p.Argv[3] == socket && p.State != "Z" {
			list = append(list, p)
		}
	}
	return list
}

// serverOf is the server of a kernel, as it says itself.
func serverOf(t *testing.T, c *kernel.Client) int {
	t.Helper()
	facts, err := c.Status(limited(t))
	must(t, err)
	pid, err := strconv.Atoi(facts["pid"])
	must(t, err)
	return pid
}

// open is a client that is closed with the test.
func open(t *testing.T, o kernel.Options) *kernel.Client {
	t.Helper()
	c, err := kernel.Open(limited(t), o)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	return c
}

// netcat gives lines to a kernel through nc, and returns what that prints. The last line has to be "quit".
func netcat(t *testing.T, uid int, socket, lines string) string {
	t.Helper()
	cmd := exec.CommandContext(limited(t), "nc", "-U", socket)
	cmd.Stdin = strings.NewReader(lines)
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(uid)}}
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, io.MultiWriter(&out, os.Stderr)
	_ = cmd.Run() // its exit code says nothing more
	return out.String()
}
