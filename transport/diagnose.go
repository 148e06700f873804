package transport

import (
	"strings"
)

// Exit is how a transport process ended before the worker could speak.
type Exit struct {
	Code   int    // the exit code; -1 or 0 together with Signal
	Signal string // the signal that ended it, such as "killed"; empty if none did
	Stderr string // the last lines it wrote to stderr
	Stdout string // what it wrote to stdout; docker says there what it could not start, nologin why it ends

	Answered bool // a hop has asked for a password, and got one
}

// Diagnosis is what can be told from an [Exit].
type Diagnosis struct {
	Hop    string // the hop that failed, in spec form; empty if unknown
	Reason string // one of the Reason constants; empty if unknown
	Advice string // what to do about it, one sentence; empty if unknown
}

// The reasons that [Diagnose] tells apart.
const (
	ReasonPassword    = "a password is required"
	ReasonWrong       = "the password is wrong"
	ReasonNotAllowed  = "not allowed by policy"
	ReasonNoTerminal  = "a terminal is required"
	ReasonNoPrivilege = "the system forbids gaining privileges"
	ReasonMisset      = "the transport program is set up wrongly"
	ReasonUnknownUser = "unknown user or group"
	ReasonNotFound    = "program not found"
	ReasonNotRunnable = "program cannot be executed"
	ReasonDirectory   = "directory cannot be entered"
	ReasonNoLogin     = "account has no login shell"
	ReasonUnknownHost = "host name cannot be resolved"
	ReasonRefused     = "connection refused"
	ReasonUnreachable = "host cannot be reached"
	ReasonTimeout     = "connection timed out"
	ReasonClosed      = "connection closed by the far side"
	ReasonAuth        = "authentication failed"
	ReasonHostKey     = "host key is unknown"
	ReasonHostChanged = "host key has changed"
	ReasonNoTLS       = "no TLS is spoken there"
	ReasonExpired     = "certificate has expired"
	ReasonRevoked     = "certificate is revoked"
	ReasonAuthority   = "certificate is of an unknown authority"
	ReasonWrongName   = "certificate is for another name"
	ReasonWrongKey    = "certificate has another key"
	ReasonConfig      = "bad configuration"
	ReasonBusy        = "no resources are free"
	ReasonSignal      = "ended by a signal"
)

// Diagnose explains why a transport failed, from the texts of sudo 1.9, OpenSSH 9.2, util-linux 2.38, OpenDoas 6.8,
// coreutils 9.1, docker 20.10 and 28, kubectl 1.32, polkit 122, systemd 252 and the shells sh, dash and bash, in English:
// start the transport with LC_ALL=C. Ask it only when the worker never spoke; after that the same words may come from the
// function itself. A far host can write what it likes to stderr, so the result is for people and logs, and no decision
// about trust may depend on it.
func Diagnose(t Transport, e Exit) Diagnosis {
	if e.Signal != "" {
		return Diagnosis{Reason: ReasonSignal,
			Advice: "find out who sent " + shown(e.Signal) + "; the kernel's log names an out-of-memory kill"}
	}
	if e.Code == 0 {
		return Diagnosis{}
	}
	hops := Hops(t)
	var first Diagnosis // of a tool that is no hop of its own: something else runs it
	for _, tool := range tools {
		d := tool.diagnose(hops, e)
		if d.Hop != "" {
			return d
		}
		if first.Reason == "" {
			first = d
		}
	}
	return first
}

// diagnose looks for what the tool would say.
func (t *tool) diagnose(hops []Transport, e Exit) Diagnosis {
	if !t.codes[e.Code] {
		return Diagnosis{}
	}
	text := e.Stderr
	if t.stdout {
		text += "\n" + e.Stdout
	}
	for _, symptom := range t.symptoms {
		line, found := findLine(text, symptom.text)
		if !found {
			continue
		}
		d := Diagnosis{Hop: t.hop(hops, line), Reason: symptom.reason, Advice: symptom.advice}
		if e.Answered && d.Reason == ReasonAuth {
			d.Reason, d.Advice = ReasonWrong, "it was tried once; check also user and host, and that the host accepts passwords"
		}
		return d
	}
	return Diagnosis{}
}

// findLine returns the first line that contains all parts of text, in order; the parts are separated by "…", and a
// text without a leading "…" begins the line.
func findLine(stderr, text string) (string, bool) {
	parts := strings.Split(text, "…")
	for line := range strings.Lines(stderr) {
		line = strings.TrimRight(line, "\r\n")
		rest, ok := strings.CutPrefix(line, parts[0])
		for _, part := range parts[1:] {
			if !ok {
				break
			}
			_, rest, ok = strings.Cut(rest, part)
		}
		if ok {
			return line, true
		}
	}
	return "", false
}

// is reports whether a hop is of one kind.
func is[T Transport](t Transport) bool { _, ok := t.(T); return ok }

// hopOf is the hop of a tool with one kind of hop.
func hopOf[T Transport](hops []Transport, _ string) string { return only(hops, is[T]) }

// hopOfTwo is the hop of a tool with two kinds of hops.
func hopOfTwo[T, U Transport](hops []Transport, _ string) string {
	return only(hops, func(t Transport) bool { return is[T](t) || is[U](t) })
}

// only returns the one hop that is of a kind, or "" if there are none or several.
func only(hops []Transport, is func(Transport) bool) string {
	found := ""
	for _, hop := range hops {
		if !is(hop) {
			continue
		}
		if found != "" {
			return ""
		}
		found = hop.String()
	}
	return found
}

// sshHop also tells several ssh hops apart, by the host in the message.
func sshHop(hops []Transport, line string) string {
	if hop := only(hops, is[SSH]); hop != "" {
		return hop
	}
	return only(hops, func(t Transport) bool {
		ssh, ok := t.(SSH)
		return ok && mentions(line, ssh.Host)
	})
}

// mentions reports whether name stands in line as a word of its own.
func mentions(line, name string) bool {
	for _, word := range strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(" @[]:'\",", r) }) {
		if word == name {
			return true
		}
	}
	return strings.Contains(name, ":") && strings.Contains(line, name)
}

// hasShell reports whether a hop hands its command to a shell there.
func hasShell(t Transport) bool { return is[SSH](t) || is[Su](t) || is[Vagrant](t) }

// nologinHop is the hop whose user has no shell.
func nologinHop(hops []Transport, _ string) string {
	return only(hops, func(t Transport) bool { return hasShell(t) || is[Sudo](t) })
}

// shellHop is the hop whose program a shell could not start: the one behind that shell if the line names its program,
// otherwise the hop with the shell itself, whose worker is missing.
func shellHop(hops []Transport, line string) string {
	for i, hop := range hops[:max(len(hops)-1, 0)] {
		if !hasShell(hop) {
			continue
		}
		argv, err := hopCommand(hops[i+1], []string{"/worker"}, true)
		if err == nil && mentions(line, argv[0]) {
			return hops[i+1].String()
		}
	}
	return only(hops, hasShell)
}
