package doctor

import (
	"context"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestSudo spoils the rules. Tests of this kind are not parallel: all see the rules.
func TestSudo(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	for _, c := range []struct {
		name    string
		rules   string // USER and PROGRAM are replaced
		reached bool
		want    doctor.Finding
	}{
		{"no rule", "root ALL=(ALL) ALL\n", false, problem("auth", "sudo")},
		{"password", "USER ALL=(root) ALL\n", false, doctor.Finding{Check: "auth", Severity: doctor.Error,
			What: "no rule of this user has NOPASSWD", Fix: "USER ALL=(root) NOPASSWD: PROGRAM __deliver deliveryboy.doctor.look"}},
		{"another program", "USER ALL=(root) NOPASSWD: /usr/bin/id\n", false, problem("auth", "no rule in sudoers allows PROGRAM")},
		{"another function", "USER ALL=(root) NOPASSWD: PROGRAM __deliver file.read\n", false,
			problem("auth", "but does not allow this user to run it with these arguments as this target: PROGRAM __deliver file.read")},
		{"another target", "USER ALL=(SECOND) NOPASSWD: ALL\n", false, problem("auth", "as this target")},
		{"requiretty", "Defaults requiretty\n" + allowed, false, problem("auth", "requiretty")},
		{"use_pty", "Defaults use_pty\n" + allowed, true, doctor.Finding{Check: "sudoers", Severity: doctor.Note, What: "use_pty"}},
		{"log_output", "Defaults log_output\n" + allowed, true, doubt("sudoers", "log_output: arguments and results")},
		{"LOG_INPUT", "USER ALL=(root) NOPASSWD: LOG_INPUT: ALL\n", true, doubt("sudoers", "the rule in sudoers has LOG_INPUT")},
		{"no env_reset", "Defaults !env_reset\n" + allowed, true, doubt("sudoers", "!env_reset")},
		{"setenv", "Defaults setenv\n" + allowed, true, doubt("sudoers", "sudoers sets setenv")},
		{"SETENV", "USER ALL=(root) NOPASSWD: SETENV: ALL\n", true, doubt("sudoers", "the rule in sudoers has SETENV")},
		{"NOEXEC", "USER ALL=(root) NOPASSWD: NOEXEC: ALL\n", !dynamic(), problem("sudoers", "the rule in sudoers has NOEXEC")},
		{"closefrom", "Defaults closefrom=10\n" + allowed, true, doubt("sudoers", "closefrom=10")},
		{"closefrom_override", "Defaults closefrom_override\n" + allowed, true, doubt("sudoers", "closefrom_override")},
		{"ticket without end", "Defaults timestamp_timeout=-1\n" + allowed, true, doubt("sudoers", "timestamp_timeout")},
	} {
		t.Run(c.name, func(t *testing.T) {
			st.Root.SetSudoers(t, filled(c.rules))
			found, err := examine(t, sudoSpec())
			if (err == nil) != c.reached {
				t.Errorf("reached: %v", err)
			}
			c.want.What, c.want.Fix, c.want.Hop = filled(c.want.What), filled(c.want.Fix), "sudo"
			names(t, found, c.want)
		})
	}
}

// TestExactRule is content with a rule for just what is run, and with nothing else.
func TestExactRule(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	st.Root.SetSudoers(t, filled("USER ALL=(root) NOPASSWD: PROGRAM __deliver deliveryboy.doctor.look\n"))
	found, err := examine(t, sudoSpec())
	if err != nil {
		t.Errorf("%+v", err)
	}
	for _, f := range found {
		if f.Severity != doctor.Note {
			t.Errorf("%+v", f)
		}
	}
}

// TestNoNewPrivileges goes through a place from where sudo gains nothing.
func TestNoNewPrivileges(t *testing.T) {
	st.NeedSudo(t)
	via := transport.Chain{transport.Setpriv{NoNewPrivs: true}, transport.Sudo{}}
	found, err := examine(t, transport.Spec{Via: via, Binary: st.Binary})
	if err == nil {
		t.Error("reached")
	}
	want := problem("privilege", "no_new_privs")
	want.Hop = "sudo"
	names(t, found, want)
}

// TestNoAnswer gives a hop too little time.
func TestNoAnswer(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	via := transport.Command{Prefix: []string{"sh", "-c", "exec sleep 30", "sh"}}
	found, err := doctor.Examine(ctx, transport.Spec{Via: via, Binary: program(t)})
	if err == nil {
		t.Error("reached")
	}
	names(t, found, problem("reachable", "no worker answered in the time"))
}
