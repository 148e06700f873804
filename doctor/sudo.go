package doctor

import (
	"context"
	"fmt"
	"os/user"
	"slices"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/transport"
)

// sudo looks at what sudo says about the rules of this user, and whether they allow what the hop runs.
func sudo(ctx context.Context, hop transport.Sudo, argv []string, next stop) []Finding {
	advice := func() string { return rule(hop, slices.Clone(argv)) }
	if next.Deploys {
		advice = func() string { return ruleForShell }
	}
	run, err := transport.Build(hop, argv)
	if err != nil {
		return []Finding{{Check: checkConfig, Severity: Error, What: oneLine(err.Error()),
			Fix: "Install sudo from its package, root's and setuid, where the error says."}}
	}
	out, said, status, err := ask(ctx, run[0], "-n", "-l")
	switch {
	case ctx.Err() != nil:
		return nil // there is no time to find out
	case err != nil:
		return []Finding{{Check: checkConfig, Severity: Error, What: "sudo -n -l: " + err.Error(),
			Fix: "Run it by hand, to see what it waits for."}}
	case status != 0:
		return append(complaints(said), unlisted(hop, said, next.Asks, advice)...)
	}
	found := complaints(said)
	policy, target := readPolicy(out), hop.User
	if target == "" {
		target = "root"
	}
	if hop.Login { // a shell runs that, and reads it as words of its own
		return append(found, settings(policy.effective([]string{"/bin/sh"}, target))...)
	}
	effective := policy.effective(argv, target)
	if as, is := strings.CutPrefix(effective["runas_default"], "runas_default="); is && hop.User == "" && hop.Group == "" {
		target = as
	}
	found = append(found, settings(effective)...)
	allowed, err := allows(ctx, run, hop, argv)
	if err != nil {
		return append(found, Finding{Check: checkConfig, Severity: Error, What: "sudo -l: " + err.Error(),
			Fix: "Run it by hand, to see what it waits for."})
	}
	return append(found, policy.entries(argv, target, effective, allowed, next.Asks, advice)...)
}

// unlisted are the findings where sudo does not tell its rules, for what it said.
func unlisted(hop transport.Sudo, said string, asks bool, advice func() string) []Finding {
	d := transport.Diagnose(hop, transport.Exit{Code: 1, Stderr: said})
	switch {
	case d.Reason == transport.ReasonPassword && len(complaints(said)) > 0:
		return []Finding{{Check: checkAuth, Severity: Error, What: "sudo asks for a password: the rule for this user may be in the file that it does not take",
			Fix: "Correct that file first, and look again."}}
	case d.Reason == transport.ReasonPassword && asks:
		return []Finding{{Check: checkAuth, Severity: Note,
			What: "sudo asks for a password, and without one does not tell its rules: no rule of this user has NOPASSWD",
			Fix:  "Nothing, if somebody is there to answer. Otherwise: " + advice()}}
	case d.Reason == transport.ReasonPassword:
		return []Finding{{Check: checkAuth, Severity: Error,
			What: "sudo asks for a password: no rule of this user has NOPASSWD",
			Fix:  advice()}}
	case d.Reason == transport.ReasonNoTerminal:
		return []Finding{{Check: checkAuth, Severity: Error, What: "sudo refuses to run without a terminal (requiretty), and workers have none",
			Fix: "Set !requiretty for this user or command in sudoers."}}
	case d.Reason == transport.ReasonNotAllowed && strings.Contains(said, "may not run sudo"), d.Reason == "":
		return []Finding{{Check: checkAuth, Severity: Error, What: "sudo -n -l: " + lastLine(said), Fix: advice()}}
	}
	f := Finding{Check: checkAuth, Severity: Error, What: d.Reason + ": " + lastLines(said), Fix: sentence(d.Advice)}
	for _, r := range reasons {
		if r.reason == d.Reason {
			f.Check = r.check
		}
	}
	return []Finding{f}
}

// complaints are about what sudo finds wrong with its own files: it leaves out what it cannot read, and goes on, if it can.
func complaints(said string) []Finding {
	var found []Finding
	for line := range strings.Lines(said) {
		line = strings.TrimSpace(line)
		file := strings.Contains(line, "/sudoers") && slices.ContainsFunc([]string{
			"syntax error", "is world writable", "is group writable", "is owned by ", "bad permissions", "parse error",
			"Permission denied", "unable to stat", "unable to open", "unknown defaults entry", "invalid value"},
			func(why string) bool { return strings.Contains(line, why) })
		f := Finding{Check: checkConfig, Severity: Warning, What: "sudo does not take all its files as they are: " + oneLine(line),
			Fix: "Run visudo -c as root, which names what is wrong; the files are root's, of mode 0440."}
		if file && !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	return found
}

// allows asks whether sudo would run just this.
func allows(ctx context.Context, run []string, hop transport.Sudo, argv []string) (bool, error) {
	question := []string{run[0], "-n", "-l"}
	if hop.User != "" {
		question = append(question, "-u", hop.User)
	}
	if hop.Group != "" {
		question = append(question, "-g", hop.Group)
	}
	_, _, status, err := ask(ctx, append(append(question, "--"), argv...)...)
	return status == 0, err
}

// ruleForShell is the advice where a shell has to be run.
const ruleForShell = "Add a rule with NOPASSWD for all commands, since who may run a shell may run anything; " +
	"or install the program there as root's, name it with binary=, and leave --deploy out: a rule can then name just that."

// rule is the advice to allow exactly this.
func rule(hop transport.Sudo, argv []string) string {
	me := strconv.Itoa(-1)
	if u, err := user.Current(); err == nil {
		me = u.Username
	}
	target := hop.User
	if target == "" {
		target = "root"
	}
	for i := range argv {
		argv[i] = escapeRule(argv[i])
	}
	return fmt.Sprintf("Add a rule with visudo, such as: %s ALL=(%s) NOPASSWD: %s", me, target, strings.Join(argv, " "))
}

// escapeRule writes a word of a command as sudoers has it.
func escapeRule(word string) string {
	var b strings.Builder
	for _, r := range word {
		if strings.ContainsRune(`,:=\*?[]! `, r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
