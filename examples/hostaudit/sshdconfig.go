package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ServerQuery asks how the ssh server of this machine is set up.
type ServerQuery struct {
	File string // default /etc/ssh/sshd_config
}

// ServerReport is the answer.
type ServerReport struct {
	Settings []Setting // in the order in which sshd reads them
	Findings
}

// A Setting is one line of the server's configuration.
type Setting struct {
	Key   string // in lower case
	Value string
	Match string // the criteria of the Match block that it stands in; empty outside of any
	File  string
	Line  int
}

// String is the report in a few words.
func (r ServerReport) String() string { return fmt.Sprintf("%d settings", len(r.Settings)) }

func auditServer(ctx context.Context, q ServerQuery) (ServerReport, error) {
	if q.File == "" {
		q.File = "/etc/ssh/sshd_config"
	}
	r := &serverReader{ctx: ctx}
	if err := r.read(q.File, "", 0); err != nil {
		return ServerReport{}, fmt.Errorf("sshd: %w", err)
	}
	for _, risk := range serverRisks {
		r.report.judge(risk)
	}
	return r.report, nil
}

// A serverRisk is one simple setting, and when it is a bad one.
type serverRisk struct {
	key      string
	standard string // sshd's own default
	bad      func(value string) bool
	severity Severity
	text     string
	advice   string
}

var serverRisks = []serverRisk{
	{"permitrootlogin", "prohibit-password", is("yes"), High, "root may log in with a password", "PermitRootLogin no"},
	{"permitemptypasswords", "no", is("yes"), High, "an empty password is enough", "PermitEmptyPasswords no"},
	{"strictmodes", "yes", is("no"), High, "keys in files that others may write are accepted", "StrictModes yes"},
	{"hostbasedauthentication", "no", is("yes"), Warn, "other hosts vouch for their users", "HostbasedAuthentication no"},
	{"ignorerhosts", "yes", is("no"), Warn, "users may trust other hosts by .rhosts", "IgnoreRhosts yes"},
	{"permituserenvironment", "no", isNot("no"), Warn, "users may set LD_PRELOAD for their login", "PermitUserEnvironment no"},
	{"passwordauthentication", "yes", is("yes"), Warn, "passwords can be guessed from the network", "PasswordAuthentication no, and keys"},
	{"permittunnel", "no", isNot("no"), Warn, "users may build tunnels into the network", "PermitTunnel no"},
	{"gatewayports", "no", isNot("no"), Warn, "users may open ports to the network", "GatewayPorts no"},
	{"x11forwarding", "no", is("yes"), Note, "programs of the server may use the user's display", "X11Forwarding no"},
	{"maxauthtries", "6", above(6), Note, "many guesses in one connection", "MaxAuthTries 6"},
	{"loglevel", "INFO", is("quiet", "fatal", "error"), Warn, "logins are not logged", "LogLevel INFO"},
	{"ciphers", "", has("3des", "arcfour", "blowfish", "cast128", "-cbc"), High, "weak ciphers are offered", "remove the Ciphers line"},
	{"macs", "", has("md5", "sha1-96", "-96"), Warn, "weak checksums are offered", "remove the MACs line"},
	{"kexalgorithms", "", has("group1-sha1", "group14-sha1", "group-exchange-sha1"), Warn, "weak key exchanges are offered", "remove the KexAlgorithms line"},
}

func is(values ...string) func(string) bool {
	return func(v string) bool { return slices.Contains(values, strings.ToLower(v)) }
}

func isNot(value string) func(string) bool {
	return func(v string) bool { return strings.ToLower(v) != value }
}

func above(limit int) func(string) bool {
	return func(v string) bool { n, err := strconv.Atoi(v); return err == nil && n > limit }
}

// has finds a part of a list of algorithms. A list that begins with "-" takes away from the default.
func has(parts ...string) func(string) bool {
	return func(v string) bool {
		return !strings.HasPrefix(v, "-") &&
			slices.ContainsFunc(parts, func(p string) bool { return strings.Contains(strings.ToLower(v), p) })
	}
}

// judge looks at the value that counts, which is the first one outside of Match blocks, and at each inside one.
func (r *ServerReport) judge(risk serverRisk) {
	value, where, set := risk.standard, "default", false
	for _, s := range r.Settings {
		switch {
		case s.Key != risk.key:
		case s.Match != "":
			if risk.bad(s.Value) {
				where := fmt.Sprintf(" (Match %s, %s:%d)", s.Match, s.File, s.Line)
				r.add(risk.severity, s.Key+" "+s.Value, risk.text+where, risk.advice)
			}
		case !set:
			value, where, set = s.Value, fmt.Sprintf("%s:%d", s.File, s.Line), true
		}
	}
	if risk.bad(value) {
		r.add(risk.severity, risk.key+" "+value, fmt.Sprintf("%s (%s)", risk.text, where), risk.advice)
	}
}

// serverReader reads a configuration and what it includes. sshd allows 16 levels; the counts are ours.
type serverReader struct {
	ctx    context.Context
	files  int
	report ServerReport
}

const (
	maxDepth    = 16
	maxFiles    = 256
	maxSettings = 10_000
)

var errTooDeep = errors.New("includes go too deep, or in a circle")

func (r *serverReader) read(file, match string, depth int) error {
	if r.files++; depth > maxDepth || r.files > maxFiles {
		return &fs.PathError{Op: "include", Path: file, Err: errTooDeep}
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	data, info, err := readFile(file)
	if err != nil {
		return err
	}
	if why := weakness(info); why != "" {
		r.report.add(High, file, why, "chown root and chmod 0644")
	}
	number := 0
	for line := range strings.Lines(string(data)) {
		number++
		key, value, ok := serverSetting(line)
		switch {
		case !ok:
		case key == "include":
			err = r.include(value, match, depth)
		case key == "match":
			match = value
			if strings.EqualFold(value, "all") {
				match = ""
			}
		case len(r.report.Settings) == maxSettings:
			return &fs.PathError{Op: "read", Path: file, Err: errTooLarge}
		default:
			r.report.Settings = append(r.report.Settings, Setting{plain(key), plain(value), plain(match), plain(file), number})
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (r *serverReader) include(patterns, match string, depth int) error {
	for pattern := range strings.FieldsSeq(patterns) {
		if !filepath.IsAbs(pattern) {
			pattern = filepath.Join("/etc/ssh", pattern)
		}
		files, err := filepath.Glob(pattern)
		if err != nil {
			r.report.add(Warn, pattern, "is not a pattern", "repair the Include line")
			continue
		}
		for _, file := range files {
			if err := r.read(file, match, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

// serverSetting splits a line into keyword and value; false for comments and empty lines.
func serverSetting(line string) (key, value string, ok bool) {
	line = strings.TrimSpace(line)
	if line == "" || line[0] == '#' {
		return "", "", false
	}
	cut := strings.IndexAny(line, " \t=")
	if cut < 0 {
		return strings.ToLower(line), "", true
	}
	value = strings.TrimLeft(line[cut:], " \t=")
	if comment := strings.Index(value, " #"); comment >= 0 {
		value = value[:comment]
	}
	return strings.ToLower(line[:cut]), strings.Trim(strings.TrimSpace(value), `"`), true
}
