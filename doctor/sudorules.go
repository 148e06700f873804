package doctor

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// entries are the findings about the rules: whether one allows argv as a target, without a password, and what it adds.
// settings are the defaults that count, and advice is a rule that would be right.
func (p policy) entries(argv []string, target string, settings map[string]string, allowed, asks bool, advice func() string) []Finding {
	if !allowed {
		what := "no rule in sudoers allows " + argv[0] + " for this user and target"
		rules := slices.DeleteFunc(slices.Clone(p.rules), func(r sudoRule) bool { return !r.about(argv[0]) })
		if len(rules) > 0 {
			what = fmt.Sprintf("sudoers names %s, but does not allow this user to run it with these arguments as this target: %s",
				argv[0], oneLine(rules[len(rules)-1].command))
		}
		return []Finding{{Check: checkAuth, Severity: Error, What: what, Fix: advice()}}
	}
	rules := slices.DeleteFunc(slices.Clone(p.rules), func(r sudoRule) bool { return !r.covers(target, argv) })
	if len(rules) == 0 {
		return nil // it cannot be told which; what it says about passwords shows when it is run
	}
	last := rules[len(rules)-1] // the one that counts
	var found []Finding
	exempt := settings["authenticate"] == "!authenticate" || settings["exempt_group"] != ""
	if os.Geteuid() != 0 && !asks && !exempt && !last.has("NOPASSWD", "PASSWD") {
		found = append(found, Finding{Check: checkAuth, Severity: Warning,
			What: "the rule has no NOPASSWD: what works now, with a ticket, fails when that is over",
			Fix:  advice()})
	}
	for _, t := range tagFindings {
		if last.has(t.tag, t.unset) {
			found = append(found, Finding{Check: checkSudoers, Severity: t.severity, What: "the rule in sudoers has " + t.tag + ": " + t.what, Fix: t.fix})
		}
	}
	return found
}

var tagFindings = []struct {
	tag, unset string
	severity   Severity
	what, fix  string
}{
	{"NOEXEC", "EXEC", Error, whatNoexec, "Take NOEXEC from the rule, or set EXEC."},
	{"SETENV", "NOSETENV", Warning, "the caller chooses the environment of root's process", "Take SETENV from the rule; what a worker needs is in its call."},
	{"LOG_INPUT", "NOLOG_INPUT", Warning, whatLogged, fixLogged},
	{"LOG_OUTPUT", "NOLOG_OUTPUT", Warning, whatLogged, fixLogged},
	{"INTERCEPT", "NOINTERCEPT", Warning, "sudo looks at each program that functions start", "Take INTERCEPT from the rule."},
}

const (
	whatLogged = "arguments and results of calls are written to sudo's log, secrets included"
	whatNoexec = "a program that is linked dynamically cannot start its worker, nor others"
	fixLogged  = "Set !log_input and !log_output for this command in sudoers."
)

// effective are the defaults that hold for a command and a target, by their names: what comes later counts, targets come
// after users, and commands after targets.
func (p policy) effective(argv []string, target string) map[string]string {
	all := slices.Clone(p.defaults)
	for _, commands := range []bool{false, true} {
		for _, b := range p.bound {
			if b.commands == commands && (commands && commandAmong(b.to, argv) || !commands && targetAmong(b.to, target)) {
				all = append(all, b.settings...)
			}
		}
	}
	effective := map[string]string{}
	for _, setting := range all {
		name, _, _ := strings.Cut(strings.TrimLeft(setting, "!"), "=")
		effective[strings.TrimRight(name, "+- ")] = setting
	}
	return effective
}

// settings are the findings about the defaults.
func settings(effective map[string]string) []Finding {
	var found []Finding
	for _, d := range defaultFindings {
		setting := effective[strings.TrimLeft(d.name, "!")]
		name, value, _ := strings.Cut(setting, "=")
		name, value = strings.TrimRight(name, "+- "), strings.Trim(value, `" `)
		if d.name == name && (d.bad == nil || d.bad(value)) {
			found = append(found, Finding{Check: checkSudoers, Severity: d.severity, What: "sudoers sets " + setting + ": " + d.what, Fix: d.fix})
		}
	}
	return found
}

var defaultFindings = []struct {
	name      string
	bad       func(value string) bool // nil: always
	severity  Severity
	what, fix string
}{
	{"requiretty", nil, Error, "sudo refuses to run without a terminal, and workers have none", "Set !requiretty for this command or user in sudoers."},
	{"use_pty", nil, Note, "sudo passes all bytes on itself, so that open files cannot pass and calls take a little longer", "Set !use_pty for this command, if that matters."},
	{"log_input", nil, Warning, whatLogged, fixLogged}, {"log_output", nil, Warning, whatLogged, fixLogged},
	{"log_stdin", nil, Warning, whatLogged, fixLogged}, {"log_stdout", nil, Warning, whatLogged, fixLogged},
	{"log_stderr", nil, Warning, whatLogged, fixLogged},
	{"!env_reset", nil, Warning, "the caller's environment reaches root's process", "Set env_reset in sudoers."},
	{"setenv", nil, Warning, "the caller chooses the environment of root's process", "Set !setenv in sudoers."},
	{"env_file", nil, Note, "its variables reach the guardian, which drops most of them", "Give variables with the call instead."},
	{"closefrom", above(3), Warning, "open files of the caller reach root's process", "Leave closefrom at 3."},
	{"closefrom_override", nil, Warning, "the caller may have open files reach root's process", "Set !closefrom_override in sudoers."},
	{"timestamp_timeout", func(v string) bool { return strings.HasPrefix(v, "-") }, Warning, "a ticket never ends, so that one password lets everything through", "Set timestamp_timeout to a few minutes, or 0."},
	{"noexec", nil, Error, whatNoexec, "Set !noexec for this command in sudoers."},
	{"intercept", nil, Warning, "sudo looks at each program that functions start", "Set !intercept for this command in sudoers."},
}

func above(limit int) func(string) bool {
	return func(value string) bool {
		n, err := strconv.Atoi(value)
		return err == nil && n > limit
	}
}
