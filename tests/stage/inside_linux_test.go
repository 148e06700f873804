package stage

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestInside is started by TestStage, inside.
func TestInside(t *testing.T) {
	if st == nil {
		t.Skip("started inside by TestStage")
	}
	for name, test := range map[string]func(*testing.T){
		"complete": isComplete, "identity": hasIdentity, "sudo": canSudo, "password": canUsePassword, "ssh": canSSH, "privacy": isPrivate,
		"root helper": rootHelper, "sudoers": setsSudoers, "sshd": restartsSSHD, "same stage": childHasStage, "network": cutsNetwork,
	} {
		t.Run(name, test)
	}
}

func isComplete(t *testing.T) {
	for _, line := range st.Skips() {
		if !strings.HasPrefix(line, Userns) { // a matter of the kernel
			t.Error(line)
		}
	}
	st.NeedSudo(t)
	st.NeedSSH(t)
	st.NeedSecond(t)
	st.NeedPassword(t)
	st.NeedRoot(t)
}

func hasIdentity(t *testing.T) {
	if os.Getuid() != st.UID || os.Getgid() != st.GID {
		t.Errorf("uid %d, gid %d, want %d, %d", os.Getuid(), os.Getgid(), st.UID, st.GID)
	}
	if groups, err := os.Getgroups(); err != nil || !slices.Equal(groups, []int{st.GID}) {
		t.Errorf("groups %v, %v", groups, err)
	}
	if exe, err := os.Executable(); err != nil || exe != st.Binary {
		t.Errorf("program %q, %v, want %q", exe, err, st.Binary)
	}
	for path := st.Binary; path != "/"; path = filepath.Dir(path) {
		info, err := os.Lstat(path)
		must(t, err)
		if info.Sys().(*syscall.Stat_t).Uid != 0 || info.Mode().Perm()&0o022 != 0 {
			t.Errorf("%s: %v, others may change it", path, info.Mode())
		}
	}
	if _, err := os.Stat("inside_linux_test.go"); err != nil {
		t.Errorf("sources of the package: %v", err)
	}
	if err := os.WriteFile("mark", nil, 0o600); err == nil {
		t.Error("the sources can be written")
	}
	if os.Getenv("HOME") != st.Home || os.Getenv("SECRET_OF_THE_CALLER") != "" {
		t.Errorf("environment %q", os.Environ())
	}
}

// run returns what the command printed.
func run(t *testing.T, argv ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	out, err := cmd.CombinedOutput()
	return strings.TrimSpace(string(out)), err
}

func wantRun(t *testing.T, want string, argv ...string) {
	t.Helper()
	if got, err := run(t, argv...); err != nil || got != want {
		t.Errorf("%q: %q, %v, want %q", argv, got, err, want)
	}
}

func canSudo(t *testing.T) {
	wantRun(t, "0", "sudo", "-n", "--", "id", "-u")
	wantRun(t, strconv.Itoa(st.SecondUID), "sudo", "-n", "-u", st.Second, "--", "id", "-u")
	if out, err := run(t, "sudo", "-n", "-u", "nobody", "--", "id", "-u"); err == nil {
		t.Errorf("became nobody: %q", out)
	}
	if out, err := run(t, "sudo", "-n", "-u", st.Second, "--", "sudo", "-n", "id"); err == nil {
		t.Errorf("the second user became root: %q", out)
	}
}

func canUsePassword(t *testing.T) {
	st.Root.SetSudoers(t, st.User+" ALL=(root) ALL\n")
	for _, c := range []struct {
		password string
		ok       bool
	}{{st.Password, true}, {"wrong", false}} {
		cmd := exec.CommandContext(t.Context(), "sudo", "-k", "-S", "-p", "", "id", "-u")
		cmd.Stdin = strings.NewReader(c.password + "\n")
		if out, err := cmd.Output(); (err == nil && string(out) == "0\n") != c.ok {
			t.Errorf("password %q: %q, %v", c.password, out, err)
		}
	}
}

func canSSH(t *testing.T) {
	port := strconv.Itoa(st.SSHPort)
	wantRun(t, strconv.Itoa(st.UID), "ssh", "-F", st.SSHConfig, "-p", port, st.User+"@127.0.0.1", "id -u")
	wantRun(t, strconv.Itoa(st.UID), "ssh", "stage", "id", "-u")
	wantRun(t, strconv.Itoa(st.SecondUID), "ssh", "stage-second", "id", "-u")
	wantRun(t, "0", "ssh", "stage", "sudo -n id -u")
	if out, err := run(t, "ssh", "-l", "root", "stage", "id"); err == nil {
		t.Errorf("root could log in: %q", out)
	}
}

func isPrivate(t *testing.T) {
	// As root, and never to be seen outside: TestStage looks.
	marks := []string{"/etc", "/run", "/run/sudo", "/tmp", "/var/tmp", "/var/log", "/var/lib", "/var/lib/sudo", "/root", "/dev/shm"}
	for _, d := range marks {
		wantRun(t, "", "sudo", "-n", "touch", d+"/stage-mark")
	}
}

func rootHelper(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "sudo", "-n", "sleep", "1000")
	must(t, cmd.Start())
	waited := make(chan error, 1)
	go func() { waited <- cmd.Wait() }()
	sleep := find(t, func(p Process) bool {
		return p.UID == 0 && slices.Equal(p.Argv, []string{"sleep", "1000"})
	})
	if err := syscall.Kill(sleep.PID, syscall.SIGKILL); !errors.Is(err, syscall.EPERM) {
		t.Errorf("the user kills a process of root: %v", err)
	}
	base := "/proc/" + strconv.Itoa(sleep.PID)
	if text, err := st.Root.ReadFile(base + "/environ"); err != nil || !strings.Contains(string(text), "SUDO_USER="+st.User) {
		t.Errorf("environment %q, %v", text, err)
	}
	if names, err := st.Root.ReadDir(base + "/fd"); err != nil || len(names) < 3 || names[0] != "0" {
		t.Errorf("descriptors %q, %v", names, err)
	}
	if exe, err := st.Root.ReadLink(base + "/exe"); err != nil || !strings.HasPrefix(exe, "/") {
		t.Errorf("program %q, %v", exe, err)
	}
	must(t, st.Root.Kill(sleep.PID, syscall.SIGKILL))
	<-waited
	if alive, err := st.Root.Alive(sleep.PID); alive || err != nil {
		t.Errorf("alive %v, %v", alive, err)
	}
	if err := st.Root.Kill(sleep.PID, 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("a process that is gone: %v", err)
	}
	for _, path := range []string{"/etc/shadow", "/proc/../etc/shadow", "/proc/1/root/etc/shadow", "/proc/self/cwd/x", "proc"} {
		if text, err := st.Root.ReadFile(path); err == nil {
			t.Errorf("%s: %.40q", path, text)
		}
	}
	for _, pid := range []int{1, 0, -1} {
		if err := st.Root.Kill(pid, 0); err == nil {
			t.Errorf("process %d: no error", pid)
		}
	}
}

// find waits until a process is there.
func find(t *testing.T, is func(Process) bool) Process {
	t.Helper()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); <-again.C {
		list, err := st.Root.Processes()
		must(t, err)
		if i := slices.IndexFunc(list, is); i >= 0 {
			return list[i]
		}
	}
	t.Fatal("no such process in time")
	return Process{}
}

func setsSudoers(t *testing.T) {
	t.Run("none", func(t *testing.T) {
		st.Root.SetSudoers(t, "# nobody\n")
		if out, err := run(t, "sudo", "-n", "id"); err == nil {
			t.Errorf("sudo without a rule: %q", out)
		}
	})
	wantRun(t, "0", "sudo", "-n", "id", "-u")
	if _, err := st.Root.call(request{Verb: "sudoers", Text: "this is no rule\n"}); err == nil {
		t.Error("a broken file was taken")
	}
	wantRun(t, "0", "sudo", "-n", "id", "-u")
}

func restartsSSHD(t *testing.T) {
	before := st.SSHDPID
	t.Run("other key", func(t *testing.T) {
		st.Root.RestartSSHD(t)
		if out, err := run(t, "ssh", "stage", "id"); err == nil || !strings.Contains(out, "HOST IDENTIFICATION HAS CHANGED") {
			t.Errorf("%v: %q", err, out)
		}
		if alive, err := st.Root.Alive(before); alive || err != nil {
			t.Errorf("the old one is alive: %v, %v", alive, err)
		}
	})
	wantRun(t, strconv.Itoa(st.UID), "ssh", "stage", "id", "-u")
	if alive, err := st.Root.Alive(st.SSHDPID); !alive || err != nil {
		t.Errorf("sshd %d alive: %v, %v", st.SSHDPID, alive, err)
	}
}

func childHasStage(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), st.Binary)
	cmd.Env = append(os.Environ(), partVar+"=skips")
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasPrefix(string(out), "INSIDE true\n") {
		t.Errorf("%v: %s", err, out)
	}
	cmd = exec.CommandContext(t.Context(), "sudo", "-n", "-u", st.Second, "cat", file)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Errorf("the second user reads the password: %s", out)
	}
}

// hold starts processes of every kind and says so.
func hold() error {
	for _, argv := range [][]string{
		{"sudo", "-n", "sleep", "1001"},
		{"sudo", "-n", "sh", "-c", "setsid sleep 1002 & exit"},
		{"setsid", "sleep", "1003"},
		{"ssh", "stage", "sleep 1004"},
	} {
		if err := exec.Command(argv[0], argv[1:]...).Start(); err != nil {
			return err
		}
	}
	for range 2000 {
		list, err := st.Root.Processes()
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for _, p := range list {
			if len(p.Argv) == 2 && p.Argv[0] == "sleep" {
				seen[p.Argv[1]] = true
			}
		}
		if len(seen) == 4 {
			_, err := os.Stdout.WriteString("HOLDING " + strconv.Itoa(os.Getpid()) + "\n")
			return err
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errors.New("the processes did not start")
}

// cutsNetwork goes through the router, and not when it is cut.
func cutsNetwork(t *testing.T) {
	st.NeedNetwork(t)
	n := st.Root.Network(t)
	ssh := n.Argv([]string{"PATH=" + securePath, "HOME=" + st.Home}, "ssh", "-F", n.SSHConfig, "-o", "ConnectTimeout=1", n.Host, "id", "-un")
	wantRun(t, st.User, ssh...)
	must(t, n.Cut())
	if out, err := run(t, ssh...); err == nil {
		t.Errorf("the network is cut, and ssh says %q", out)
	}
	must(t, n.Join())
	wantRun(t, st.User, ssh...)
}
