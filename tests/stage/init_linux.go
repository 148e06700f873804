package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// first is the first process of the namespace: root, parent of orphans, and the hands of [Root].
type first struct {
	stage   *Stage
	reaper  *reaper
	sshd    *sshd
	far     *sshd // in the network, when there is one
	outputs []output
	workdir string // of the inner process
}

// runInit builds the stage, runs the program in it and returns the exit code, which is of interest to nobody: the
// result goes through a pipe.
func runInit(o Options) int {
	unix.CloseOnExec(lifelineFD)
	unix.CloseOnExec(resultFD)
	lifeline := os.NewFile(lifelineFD, "lifeline")
	// Signals come through the lifeline; what a terminal sends to the whole group must not end this process. They are
	// caught and left unread instead of ignored, because a child would inherit "ignored".
	signal.Notify(make(chan os.Signal, 1), relayed...)

	if err := os.Setenv("PATH", securePath); err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
		return 1
	}
	f := &first{stage: &Stage{Inside: true, Dir: dir, Why: map[string]string{}}, reaper: newReaper()}
	res := f.run(o, lifeline)
	text, err := json.Marshal(res)
	if err == nil {
		_, err = os.NewFile(resultFD, "result").Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "stage: report:", err)
		return 1
	}
	return 0
}

func (f *first) run(o Options, lifeline *os.File) result {
	args, err := f.build()
	if err != nil {
		return result{Err: "stage: build: " + err.Error()}
	}
	inner, err := f.startInner(o, args)
	if err != nil {
		return result{Err: "stage: start the program inside: " + err.Error()}
	}
	go obey(lifeline, inner.Process)
	res := result{Built: true}
	err = inner.Wait()
	var exit *exec.ExitError
	switch {
	case err == nil:
	case errors.As(err, &exit):
		status := exit.Sys().(syscall.WaitStatus)
		res.ExitCode = status.ExitStatus()
		if status.Signaled() {
			res.Signal, res.ExitCode = int(status.Signal()), 128+int(status.Signal())
		}
	default:
		res.ExitCode, res.Err = 1, "stage: wait: "+err.Error()
	}
	if err := copyOut(f.outputs); err != nil {
		res.Err = "stage: copy results out: " + err.Error()
		res.ExitCode = max(res.ExitCode, 1)
	}
	return res
}

// obey passes signals to the inner process, and ends everything when the outer process is gone.
func obey(lifeline *os.File, inner *os.Process) {
	buf := make([]byte, 1)
	for {
		if n, err := lifeline.Read(buf); n == 0 || err != nil {
			os.Exit(1)
		}
		// It may just have ended; then there is nobody to tell.
		_ = inner.Signal(syscall.Signal(buf[0]))
	}
}

// build makes the place and returns the arguments for the inner program.
func (f *first) build() (args []string, err error) {
	unix.Umask(0o022)
	args, f.outputs, err = redirectOutputs(os.Args[1:])
	if err != nil {
		return nil, err
	}
	steps := []struct {
		what string
		do   func() error
	}{
		{"private mounts", privateMounts},
		{"/run", privateRun},
		{"program", f.installBinary},
		{"sources", f.showSources},
		{"/etc", privateEtc},
		{"users", f.addUsers},
		{"outputs", func() error { return prepareOutputs(f.outputs, f.stage.UID, f.stage.GID) }},
		{"state directories", privateState},
		{"sudo", f.setUpSudo},
		{"password", f.setPassword},
		{"ssh", f.setUpSSH},
		{"network", f.checkNetwork},
		{"root helper", f.serveRoot},
		{"description", f.describe},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			return nil, fmt.Errorf("%s: %w", s.what, err)
		}
	}
	probe(f.stage, Userns, "setpriv", "--reuid", strconv.Itoa(f.stage.UID), "--regid", strconv.Itoa(f.stage.GID),
		"--clear-groups", "unshare", "--user", "true")
	return args, f.describe()
}

// describe writes the Stage where the inner process reads it. It holds a password, so only the user may read it.
func (f *first) describe() error {
	text, err := json.MarshalIndent(f.stage, "", "  ")
	if err != nil {
		return err
	}
	return writeAs(file, text, 0o440, 0, f.stage.GID)
}

func (f *first) startInner(o Options, args []string) (*exec.Cmd, error) {
	s := f.stage
	cmd := &exec.Cmd{
		Path: s.Binary, Args: append([]string{s.Binary}, args...), Dir: f.workdir, Env: f.innerEnv(o),
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr, SysProcAttr: &syscall.SysProcAttr{},
	}
	if !o.StayRoot {
		cmd.SysProcAttr.Credential = &syscall.Credential{
			Uid: uint32(s.UID), Gid: uint32(s.GID), Groups: []uint32{uint32(s.GID)},
		}
	}
	return cmd, f.reaper.start(cmd)
}

func (f *first) innerEnv(o Options) []string {
	s := f.stage
	user, home := s.User, s.Home
	if o.StayRoot {
		user, home = "root", "/root"
	}
	env := []string{
		"PATH=" + securePath, "HOME=" + home, "USER=" + user, "LOGNAME=" + user, "SHELL=" + shell(), "LANG=C.UTF-8",
		"PWD=" + f.workdir, roleVar + "=" + roleInside, fileVar + "=" + file,
		"STAGE_USER=" + s.User, "STAGE_SECOND=" + s.Second, "STAGE_BINARY=" + s.Binary,
		"STAGE_SSH_PORT=" + strconv.Itoa(s.SSHPort), "STAGE_SSH_CONFIG=" + s.SSHConfig,
	}
	for _, line := range os.Environ() {
		name, _, _ := strings.Cut(line, "=")
		if kept(name, o.Keep) && !slices.Contains(env, line) {
			env = append(env, line)
		}
	}
	return env
}

// securePath is where commands are found inside, also by sudo.
const securePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
