package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// SudoersQuery asks who may run what as whom.
type SudoersQuery struct {
	File string // default /etc/sudoers
}

// SudoersReport is the answer.
type SudoersReport struct {
	Rules []Rule
	Findings
}

// A Rule says who may run one command. Aliases are replaced by what they stand for.
type Rule struct {
	Who      string
	Hosts    string
	RunAs    string
	NoPasswd bool
	Command  string
	File     string
	Line     int
}

// String is the report in a few words.
func (r SudoersReport) String() string {
	free := 0
	for _, rule := range r.Rules {
		if rule.NoPasswd {
			free++
		}
	}
	return fmt.Sprintf("%d rules, %d without a password", len(r.Rules), free)
}

// maxRules bounds the list after the aliases have been replaced.
const maxRules = 5000

// auditSudoers needs root: /etc/sudoers is closed to others.
func auditSudoers(ctx context.Context, q SudoersQuery) (SudoersReport, error) {
	if q.File == "" {
		q.File = "/etc/sudoers"
	}
	reader := &sudoersReader{ctx: ctx}
	if err := reader.read(q.File, 0); err != nil {
		return SudoersReport{}, fmt.Errorf("sudoers: %w", err)
	}
	report, parsed := &reader.report, &reader.parsed
	for _, b := range parsed.bad {
		report.add(Warn, fmt.Sprintf("%s:%d", b.file, b.line), "not understood: "+b.why, "check it with visudo -c")
	}
	for _, d := range parsed.defaults {
		report.judgeDefault(d)
	}
	for _, g := range parsed.grants {
		who := strings.Join(parsed.expand("User_Alias", g.who), ", ")
		for _, command := range parsed.expand("Cmnd_Alias", []string{g.command}) {
			if len(report.Rules) == maxRules {
				report.add(Warn, q.File, fmt.Sprintf("more than %d rules", maxRules), "look at it by hand")
				return *report, nil
			}
			report.judgeGrant(g, who, command)
		}
	}
	if parsed.steps > maxSteps {
		report.add(Warn, q.File, "aliases of aliases beyond number: some are shown by their names", "look at it by hand")
	}
	return *report, ctx.Err()
}

// sudoersReader reads a file and what it includes.
type sudoersReader struct {
	ctx    context.Context
	files  int
	parsed sudoersFile
	report SudoersReport
}

func (r *sudoersReader) read(file string, depth int) error {
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
		r.report.add(High, file, why, "chown root:root and chmod 0440")
	}
	for _, include := range r.parsed.parse(file, data) {
		path := include.path
		if host, err := os.Hostname(); err == nil {
			host, _, _ = strings.Cut(host, ".")
			path = strings.ReplaceAll(path, "%h", host)
		}
		if !filepath.IsAbs(path) {
			path = filepath.Join(filepath.Dir(file), path)
		}
		if err := r.include(path, include.dir, fmt.Sprintf("%s:%d", file, include.line), depth); err != nil {
			return err
		}
	}
	return nil
}

// include reads a file, or those of a directory that sudo would read: not the ones with a dot or a final tilde.
func (r *sudoersReader) include(path string, dir bool, where string, depth int) error {
	info, err := os.Stat(path)
	if os.IsNotExist(err) {
		if !dir {
			r.report.add(Warn, where, "includes "+plain(path)+", which is missing", "remove the line")
		}
		return nil
	}
	if err != nil {
		return err
	}
	if !dir {
		return r.read(path, depth+1)
	}
	if why := weakness(info); why != "" {
		r.report.add(High, path, why, "chown root:root and chmod 0750")
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		name := entry.Name()
		if entry.IsDir() || strings.Contains(name, ".") || strings.HasSuffix(name, "~") {
			continue
		}
		if err := r.read(filepath.Join(path, name), depth+1); err != nil {
			return err
		}
	}
	return nil
}

// maxSteps bounds the work of replacing aliases: forty lines of A = B, B : B = C, C … would take a year.
const maxSteps = 1_000_000

// expand replaces aliases by their members, as deep as they go. An alias that contains itself ends there.
func (s *sudoersFile) expand(kind string, names []string) []string {
	var all []string
	open := map[string]bool{}
	var replace func(name string)
	replace = func(name string) {
		s.steps++
		members, ok := s.aliases[kind+" "+name]
		if !ok || open[name] || s.steps > maxSteps {
			all = append(all, name)
			return
		}
		open[name] = true
		for _, m := range members {
			replace(m)
		}
		delete(open, name)
	}
	for _, name := range names {
		replace(name)
	}
	return all
}

// judgeGrant adds one rule, and what there is to say about it.
func (r *SudoersReport) judgeGrant(g grant, subject, command string) {
	command = digestPattern.ReplaceAllString(command, "") // one of an alias's members may begin with it
	rule := Rule{
		Who: plain(subject), Hosts: plain(strings.Join(g.hosts, ", ")), RunAs: plain(orRoot(g.runAs)),
		NoPasswd: g.noPasswd, Command: plain(command), File: g.file, Line: g.line,
	}
	r.Rules = append(r.Rules, rule)
	free := ""
	if g.noPasswd {
		free = " without a password"
	}
	where := fmt.Sprintf(" (%s:%d)", g.file, g.line)
	text := rule.RunAs + ": " + rule.Command + free + where
	switch {
	case command == "ALL" && slices.Contains(strings.Split(subject, ", "), "ALL"):
		r.add(High, subject, "everyone may run everything as "+text, "name the users")
	case command == "ALL" && g.noPasswd && subject != "root":
		r.add(High, subject, "may run everything as "+text, "name the commands, or ask for the password")
	case command == "ALL" && subject != "root":
		r.add(Note, subject, "may run everything as "+text, "name the commands if they are few")
	case g.noPasswd && subject != "root" && !strings.HasPrefix(command, "!"):
		r.add(Warn, subject, "may run as "+text, "keep the command out of the user's hands")
	}
	if g.setEnv && command != "ALL" {
		r.add(Warn, subject, "may set any variable, LD_PRELOAD too"+where, "remove SETENV")
	}
	if subject != "root" {
		r.judgeCommand(subject, command, where)
	}
}

func orRoot(runAs string) string {
	if runAs == "" {
		return "root"
	}
	return runAs
}
