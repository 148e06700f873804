package main

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// judgeCommand looks at what may be run: a pattern that admits more than it seems, a program with a way to a shell, a
// file that others may replace.
func (r *SudoersReport) judgeCommand(subject, command, where string) {
	path, args, _ := strings.Cut(command, " ")
	switch {
	case command == "ALL":
		return
	case strings.HasPrefix(command, "!"):
		r.add(Warn, subject, "is denied "+plain(command[1:])+", which a copy under another name evades"+where,
			"list what is allowed instead")
		return
	case strings.HasPrefix(path, "sudoedit"):
		return
	case !filepath.IsAbs(path):
		return // an alias that is not defined, or a list such as "list"
	case strings.ContainsAny(path, `*?[`):
		r.add(Warn, subject, "may run whatever fits "+plain(path)+where, "name the command")
		return
	case strings.HasSuffix(path, "/"):
		r.add(Warn, subject, "may run everything in "+plain(path)+where, "name the command")
	case strings.Contains(args, "*"):
		r.add(Warn, subject, "the star in "+plain(command)+" also fits further arguments"+where, "name the arguments")
	}
	if gives := shellFrom[filepath.Base(path)]; gives != "" {
		r.add(Warn, subject, plain(path)+" "+gives+where, "allow a program that does one thing")
	}
	r.judgeOwners(subject, filepath.Clean(path), where)
}

// shellFrom names well-known programs that run other programs for whoever runs them.
var shellFrom = func() map[string]string {
	known := map[string]string{}
	for gives, programs := range map[string]string{
		"is a shell": "sh bash dash zsh ksh ash fish su",
		"runs any other program": "env find xargs nice timeout watch strace gdb make git docker systemd-run tar ssh rsync awk " +
			"gawk mawk python python3 perl ruby lua node",
		"opens a shell":   "vi vim nano emacs less more man ed ftp",
		"writes any file": "tee cp mv dd install sed chmod chown",
	} {
		for p := range strings.FieldsSeq(programs) {
			known[p] = gives
		}
	}
	return known
}()

// judgeOwners looks at the program, an absolute path, and every directory above it: who may replace one of them may run
// anything.
func (r *SudoersReport) judgeOwners(subject, path, where string) {
	for at := path; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		switch {
		case os.IsNotExist(err):
			r.add(Note, subject, plain(at)+" is missing"+where, "remove the rule")
		case err != nil:
			r.add(Note, subject, plain(at)+": "+reason(err)+where, "")
		default:
			// Others may write into /tmp, but not replace there what is not theirs.
			sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0 && at != path
			if why := weakness(info); why != "" && !sticky {
				r.add(High, subject, plain(at)+" is "+why+": whoever may change it runs anything"+where, "chown root and chmod go-w")
			}
		}
		if at == "/" || err != nil {
			return
		}
	}
}

// judgeDefault looks at the few parameters that open a door.
func (r *SudoersReport) judgeDefault(d sudoersDefault) {
	subject := plain("Defaults" + d.scope)
	where := fmt.Sprintf(" (%s:%d)", d.file, d.line)
	name, value, _ := strings.Cut(d.param, "=")
	name = strings.TrimRight(name, " +")
	switch {
	case name == "!authenticate":
		r.add(High, subject, "!authenticate: nobody is asked for a password"+where, "remove it")
	case name == "!env_reset":
		r.add(High, subject, "!env_reset: the user's environment reaches root's programs"+where, "remove it")
	case name == "setenv":
		r.add(Warn, subject, "setenv: users may set any variable, LD_PRELOAD too"+where, "remove it")
	case name == "visiblepw":
		r.add(Warn, subject, "visiblepw: the password may be shown while it is typed"+where, "remove it")
	case name == "!secure_path":
		r.add(Warn, subject, "!secure_path: programs are found by the user's PATH"+where, "remove it")
	case name == "env_keep" && keepsDanger(value):
		r.add(High, subject, "env_keep lets a variable pass that loads code into root's programs"+where,
			"keep none of LD_*, PYTHON*, PERL*, BASH_ENV")
	}
}

func keepsDanger(value string) bool {
	for name := range strings.FieldsSeq(strings.Trim(value, `" `)) {
		for _, danger := range []string{"LD_", "PYTHON", "PERL", "BASH_ENV", "RUBYLIB", "RUBYOPT", "NODE_OPTIONS"} {
			if name == "*" || strings.HasPrefix(name, danger) {
				return true
			}
		}
	}
	return false
}
