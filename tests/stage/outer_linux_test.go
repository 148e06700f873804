package stage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func needRoot(t *testing.T) {
	t.Helper()
	switch {
	case st != nil:
		t.Skip("runs outside of the stage")
	case os.Geteuid() == 0:
	case os.Getenv("CI") == "true":
		t.Fatal("CI must run this as root")
	default:
		t.Skip("NOT TESTED: needs root")
	}
}

// part is this test binary with a part to play.
func part(t *testing.T, name string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	must(t, err)
	cmd := exec.CommandContext(t.Context(), exe, args...)
	cmd.Env = append(os.Environ(), partVar+"="+name, "SECRET_OF_THE_CALLER=1")
	return cmd
}

// reportIn finds what Options.After printed.
func reportIn(t *testing.T, output string) Report {
	t.Helper()
	var r Report
	_, after, found := strings.Cut(output, "REPORT ")
	if !found {
		t.Fatalf("no report in:\n%s", output)
	}
	must(t, json.NewDecoder(strings.NewReader(after)).Decode(&r))
	return r
}

// machineMounts are the mounts of the machine, without those of containers, which come and go by themselves: they are below
// these directories, and those of a stage are not.
func machineMounts(t *testing.T) (mounts []string) {
	text, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		point := strings.Fields(line)[4]
		if !slices.ContainsFunc([]string{"/tmp/", "/run/docker/", "/var/lib/docker/", "/var/lib/containers/"}, func(dir string) bool { return strings.HasPrefix(point, dir) }) {
			mounts = append(mounts, line)
		}
	}
	return mounts
}

func TestStage(t *testing.T) {
	needRoot(t)
	mounts := machineMounts(t)
	for _, round := range []string{"first", "second"} { // nothing of the first is in the way of the second
		t.Run(round, func(t *testing.T) {
			profile := filepath.Join(t.TempDir(), "cpu.out")
			cmd := part(t, "user", "-test.run=^TestInside$", "-test.v", "-test.cpuprofile="+profile)
			out, err := cmd.CombinedOutput()
			t.Logf("inside:\n%s", out)
			must(t, err)
			if n := bytes.Count(out, []byte("--- PASS: TestInside/")); n != 13 {
				t.Errorf("%d tests passed inside, want 13", n)
			}
			if r := reportIn(t, string(out)); !r.EtcSame || r.EtcBefore != r.EtcAfter || r.EtcBefore == "" || r.Err != nil || r.ExitCode != 0 {
				t.Errorf("report %+v", r)
			}
			if info, err := os.Stat(profile); err != nil || info.Size() == 0 {
				t.Errorf("the profile did not come out: %v, %v", info, err)
			}
		})
	}
	if after := machineMounts(t); !slices.Equal(mounts, after) {
		t.Errorf("mounts of the machine changed:\n%s\n\n%s", strings.Join(mounts, "\n"), strings.Join(after, "\n"))
	}
	for _, d := range []string{"/etc", "/run", "/run/sudo", "/tmp", "/var/tmp", "/var/log", "/var/lib", "/var/lib/sudo", "/root"} {
		if _, err := os.Lstat(d + "/stage-mark"); err == nil {
			t.Errorf("%s: the machine's own was written", d)
		}
	}
}

func TestStayRoot(t *testing.T) {
	needRoot(t)
	out, err := part(t, "root", "-test.run=^TestRootInside$", "-test.v").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("--- PASS: TestRootInside")) {
		t.Errorf("%v:\n%s", err, out)
	}
}

// TestRootInside is started by TestStayRoot, inside.
func TestRootInside(t *testing.T) {
	if st == nil || os.Getuid() != 0 {
		t.Skip("started inside by TestStayRoot")
	}
	wantRun(t, strconv.Itoa(st.UID), "sudo", "-n", "-u", st.User, "id", "-u")
	wantRun(t, strconv.Itoa(st.UID), "ssh", "-F", st.SSHConfig, "stage", "id", "-u")
	must(t, os.WriteFile("/etc/stage-mark", nil, 0o600))
	if os.Getenv("HOME") != "/root" {
		t.Errorf("HOME %q", os.Getenv("HOME"))
	}
}

func TestExitCode(t *testing.T) {
	needRoot(t)
	out, err := part(t, "exit7").CombinedOutput()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != 7 {
		t.Errorf("%v:\n%s", err, out)
	}
	if r := reportIn(t, string(out)); r.ExitCode != 7 {
		t.Errorf("report %+v", r)
	}
}

// held is a stage that is busy.
type held struct {
	cmd       *exec.Cmd
	out       *bufio.Reader
	stderr    bytes.Buffer
	namespace string
	init      int // as the machine numbers it
	inner     int
}

func startHeld(t *testing.T) *held {
	t.Helper()
	h := &held{cmd: part(t, "hold")}
	h.cmd.Stderr = &h.stderr
	h.cmd.WaitDelay = 10 * time.Second
	pipe, err := h.cmd.StdoutPipe()
	must(t, err)
	must(t, h.cmd.Start())
	h.out = bufio.NewReader(pipe)
	if line, err := h.out.ReadString('\n'); err != nil || !strings.HasPrefix(line, "HOLDING ") {
		_ = h.cmd.Wait()
		t.Fatalf("%q, %v:\n%s", line, err, h.stderr.String())
	}
	list, err := processes()
	must(t, err)
	h.init = childOf(t, list, h.cmd.Process.Pid)
	h.inner = childOf(t, list, h.init)
	h.namespace = namespaceOf(h.init)
	if n := h.population(t); n < 7 {
		t.Fatalf("%d processes in the stage", n)
	}
	return h
}

// childOf finds the only child that runs the test binary.
func childOf(t *testing.T, list []Process, parent int) int {
	t.Helper()
	i := slices.IndexFunc(list, func(p Process) bool {
		return p.PPID == parent && len(p.Argv) > 0 && strings.HasSuffix(p.Argv[0], filepath.Base(os.Args[0]))
	})
	if i < 0 {
		t.Fatalf("process %d has no such child", parent)
	}
	return list[i].PID
}

func namespaceOf(pid int) string {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return ""
	}
	return link
}

// population counts the processes of the stage that have not ended.
func (h *held) population(t *testing.T) int {
	t.Helper()
	list, err := processes()
	must(t, err)
	n := 0
	for _, p := range list {
		if p.State != "Z" && p.State != "X" && namespaceOf(p.PID) == h.namespace {
			n++
		}
	}
	return n
}

// empties waits until nobody is left in the stage.
func (h *held) empties(t *testing.T) {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); h.population(t) > 0; <-again.C {
		if time.Now().After(deadline) {
			t.Fatalf("%d processes are left", h.population(t))
		}
	}
}

func TestDeath(t *testing.T) {
	needRoot(t)
	before := hash(t, "/etc")
	for _, c := range []struct {
		name   string
		victim func(*held) int
		signal syscall.Signal
		want   syscall.Signal // the outer process dies of it
		atOnce bool           // nobody is left when the outer process has ended
	}{
		{"inner killed", func(h *held) int { return h.inner }, unix.SIGKILL, unix.SIGKILL, true},
		{"outer killed", func(h *held) int { return h.cmd.Process.Pid }, unix.SIGKILL, unix.SIGKILL, false},
		{"outer terminated", func(h *held) int { return h.cmd.Process.Pid }, unix.SIGTERM, unix.SIGTERM, true},
		{"outer interrupted", func(h *held) int { return h.cmd.Process.Pid }, unix.SIGINT, unix.SIGINT, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := startHeld(t)
			must(t, unix.Kill(c.victim(h), c.signal))
			err := h.cmd.Wait()
			if c.atOnce && h.population(t) > 0 {
				t.Errorf("%d processes are left", h.population(t))
			}
			h.empties(t)
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != c.want {
				t.Errorf("ended with %v, want %v:\n%s", err, c.want, h.stderr.String())
			}
			if c.atOnce {
				if r := reportIn(t, h.stderr.String()); !r.EtcSame || r.Signal != int(c.want) {
					t.Errorf("report %+v", r)
				}
			}
		})
	}
	t.Run("first process killed", func(t *testing.T) {
		h := startHeld(t)
		must(t, unix.Kill(h.init, unix.SIGKILL))
		err := h.cmd.Wait()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != 137 || !strings.Contains(h.stderr.String(), "first process inside died") {
			t.Errorf("ended with %v:\n%s", err, h.stderr.String())
		}
		h.empties(t)
	})
	if hash(t, "/etc") != before {
		t.Error("/etc of the machine changed")
	}
}

func TestTwoAtOnce(t *testing.T) {
	needRoot(t)
	one, two := startHeld(t), startHeld(t)
	if one.namespace == two.namespace {
		t.Error("both are in one namespace")
	}
	must(t, unix.Kill(one.inner, unix.SIGKILL))
	_ = one.cmd.Wait() // TestDeath looks at how it ends
	if n := two.population(t); n < 7 {
		t.Errorf("the other one has %d processes left", n)
	}
	must(t, unix.Kill(two.inner, unix.SIGKILL))
	_ = two.cmd.Wait()
	one.empties(t)
	two.empties(t)
}

// A container's root often lacks the capability; then there is no stage, and the reason is told.
func TestWithoutCapability(t *testing.T) {
	needRoot(t)
	cmd := part(t, "skips")
	cmd.Args = append([]string{"setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", "--"}, cmd.Args...)
	path, err := exec.LookPath("setpriv")
	must(t, err)
	cmd.Path = path
	out, err := cmd.CombinedOutput()
	must(t, err)
	if !bytes.HasPrefix(out, []byte("INSIDE false\nstage: stage: new mount and process namespaces: ")) || !bytes.Contains(out, []byte("operation not permitted")) {
		t.Errorf("%s", out)
	}
}

func TestWithoutRoot(t *testing.T) {
	needRoot(t)
	exe, err := os.Executable()
	must(t, err)
	place := t.TempDir()
	program := filepath.Join(place, "program")
	must(t, copyFile(exe, program))
	for path := place; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		must(t, os.Chmod(path, 0o755))
	}
	must(t, os.Chmod(program, 0o755))
	cmd := exec.CommandContext(t.Context(), program)
	cmd.Env, cmd.Dir = []string{partVar + "=skips", "PATH=" + securePath}, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	out, err := cmd.CombinedOutput()
	must(t, err)
	for _, want := range []string{"INSIDE false", "stage: a private place needs root", "sudo: sudo: exit status", "root: a private"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("%q is not in:\n%s", want, out)
		}
	}
}
