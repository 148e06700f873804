package process

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

func TestNotRegistered(t *testing.T) {
	cmd := exec.Command(st.Binary) //nolint:noctx // it ends by itself
	cmd.Env = append(os.Environ(), "PROCESS_ROLE=unregistered")
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), "process.Register()") {
		t.Errorf("%q, %v", out, err)
	}
}

// A worker that is narrowed to other functions runs no programs.
func TestNarrowed(t *testing.T) {
	s, err := delivery.Open(t.Context(), transport.Self{}, session.Options{Stderr: &races, Only: []string{"process.test.resolve"}})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer s.Close()
	cmd := process.Command(t.Context(), s, "true")
	if err := cmd.Run(); err == nil || !strings.Contains(err.Error(), process.FunctionName) || cmd.Process != nil {
		t.Errorf("%v", err)
	}
}

// As root, a process has the user, groups and limits that it is to have: GA-04, in the order of PA-43.
func TestGA04OverSudo(t *testing.T) {
	st.NeedSudo(t)
	s := openSession(t, transport.Sudo{})
	for _, umask := range []string{"", "022"} { // directly, and through the trampoline
		cmd := process.Command(t.Context(), s, "sh", "-c", "id -u; id -g; id -G; ulimit -Hn")
		cmd.Config = process.Config{User: process.ID(st.Second), Umask: umask, Limits: map[string]process.Limit{}}
		if umask != "" {
			cmd.Config.Limits["nofile"] = process.Limit{Soft: 9, Hard: 99}
		}
		out, err := cmd.Output()
		words := strings.Fields(string(out))
		if err != nil || len(words) < 4 || words[0] != strconv.Itoa(st.SecondUID) || words[1] != words[2] || (umask != "") != (words[len(words)-1] == "99") {
			t.Errorf("%q, %v", out, err)
		}
	}
}

// GA-20, GA-26: an ordinary user signals and measures root's processes, by root's hands.
func TestGA20And26OverSudo(t *testing.T) {
	st.NeedSudo(t)
	s := openSession(t, transport.Sudo{})
	p, err := process.On(s).Start(t.Context(), process.Config{Cmdline: "sleep 1000"})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	stats, err := p.Stats(t.Context(), 0)
	if err != nil || stats.Username != "root" || stats.Files < 3 || stats.UID != 0 {
		t.Errorf("%+v, %v", stats, err)
	}
	if err := syscall.Kill(p.PID(), syscall.SIGTERM); err == nil {
		t.Error("this user may signal it anyway")
	}
	if err := p.Signal(t.Context(), syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	if state, err := p.Wait(t.Context()); err != nil || state.Signal != "SIGTERM" {
		t.Errorf("%s, %v", &state, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}
