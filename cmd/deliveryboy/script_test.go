package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

// TestMain makes the test binary the command, its worker and its keeper.
func TestMain(m *testing.M) {
	delivery.Main()
	commands := map[string]func(){"deliveryboy": main, "exits": expectStatus}
	if commands[filepath.Base(os.Args[0])] == nil {
		st = stage.Enter(stage.Options{})
	}
	testscript.Main(m, commands)
}

// expectStatus runs a command and succeeds if it ends with the status that is its first argument.
func expectStatus() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...) //nolint:noctx // a script ends it
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	_ = cmd.Run()
	if got := cmd.ProcessState.String(); got != "exit status "+os.Args[1] {
		println("want exit status", os.Args[1]+", got", got)
		os.Exit(1)
	}
}

// TestScripts runs the scripts as an ordinary user. They find, for --via, SELF with a job store of the script's own, and
// SUDO and SSHSUDO with a program that root may run.
func TestScripts(t *testing.T) {
	sudo := transport.Spec{Via: transport.Sudo{}, Binary: st.Binary}
	ssh := transport.Spec{Via: transport.Chain{
		transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}, transport.Sudo{},
	}, Binary: st.Binary}
	if has("sudo") {
		t.Cleanup(func() { noJobRuns(t, delivery.OnceFor(sudo)) })
	}
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			state := "XDG_STATE_HOME=" + filepath.Join(env.WorkDir, "state")
			env.Setenv("SELF", "self//env:"+state)
			env.Setenv("SUDO", sudo.String())
			env.Setenv("SSHSUDO", ssh.String())
			env.Setenv("BINARY", st.Binary)
			env.Setenv("GOARCH", runtime.GOARCH)
			env.Setenv("GORACE", "atexit_sleep_ms=0")
			env.Defer(func() {
				if _, err := os.Stat(filepath.Join(env.WorkDir, "state")); err == nil {
					noJobRuns(env.T().(testing.TB), delivery.Once{Via: transport.Self{}, Env: []string{state}})
				}
			})
			return nil
		},
		Condition: func(cond string) (bool, error) { return has(cond), nil },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"keep": keepStdout, "eventually": eventually,
		},
	})
}

// has says what there is: sudo and ssh in a private place, and jobs, whose store is never the machine's own.
func has(what string) bool {
	switch what {
	case "sudo":
		ok, _ := st.Has(stage.Sudo)
		return ok && st.Inside
	case "ssh":
		ok, _ := st.Has(stage.SSH)
		return ok && st.Inside
	case "jobs":
		return st.Inside || os.Getuid() != 0
	}
	return false
}

// noJobRuns reports jobs that a script left behind, and ends them.
func noJobRuns(t testing.TB, c box.Courier) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	list, err := job.List(ctx, c)
	if err != nil {
		t.Errorf("the jobs that are left: %+v", err)
	}
	for _, i := range list {
		if i.Phase != job.Running && i.Phase != job.Waiting {
			continue
		}
		t.Errorf("a job is left behind: %+v", i)
		if h, err := job.AttachHandle(ctx, c, i.ID); err == nil {
			_ = h.Cancel(ctx)
			_, _ = h.Results(ctx)
		}
	}
}

// keepStdout keeps what the last command wrote to stdout, less its line break, in a variable.
func keepStdout(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: keep NAME")
	}
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile("stdout")))
}

// eventually repeats a command until its stdout has a text.
func eventually(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: eventually TEXT COMMAND [ARGUMENT…]")
	}
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		err := ts.Exec(args[1], args[2:]...)
		switch {
		case err == nil && strings.Contains(ts.ReadFile("stdout"), args[0]):
			return
		case time.Now().After(deadline):
			ts.Fatalf("not within 30s: %q in the output of %q", args[0], args[1:])
		}
	}
}
