package doctor

import (
	"os/user"
	"path"
	"regexp"
	"strings"
)

// about reports whether a rule may be meant for a program, whatever its arguments are.
func (r sudoRule) about(program string) bool {
	command, _, _ := strings.Cut(r.command, " ")
	return programMatches(command, program)
}

// covers reports whether a rule is about just this, as far as it can be told.
func (r sudoRule) covers(target string, argv []string) bool {
	return targetAmong(r.runas, target) && commandMatches(r.command, argv)
}

// targetAmong reports whether a list of targets may have a user. The last word about it counts; groups cannot be told.
func targetAmong(list []string, target string) bool {
	among := false
	for _, name := range list {
		bare := strings.TrimLeft(name, "!")
		if bare == "ALL" || bare == target || sameUser(bare, target) || strings.HasPrefix(bare, "%") || strings.HasPrefix(bare, "+") {
			among = (len(name)-len(bare))%2 == 0
		}
	}
	return among
}

// sameUser reports whether a number such as #0 is a user's.
func sameUser(number, name string) bool {
	id, is := strings.CutPrefix(number, "#")
	if !is {
		return false
	}
	u, err := user.Lookup(name)
	return err == nil && u.Uid == id
}

// commandAmong reports whether a list of commands has one; the last word about it counts.
func commandAmong(list []string, argv []string) bool {
	among := false
	for _, command := range list {
		bare := strings.TrimLeft(command, "!")
		if commandMatches(bare, argv) {
			among = (len(command)-len(bare))%2 == 0
		}
	}
	return among
}

// commandMatches reports whether a command in sudoers stands for argv: it has no arguments, so that any will do, or "" for
// none, or a pattern, in which * stands for spaces and slashes, too.
func commandMatches(command string, argv []string) bool {
	program, arguments, found := strings.Cut(strings.TrimSpace(command), " ")
	if !programMatches(program, argv[0]) {
		return false
	}
	given := strings.Join(argv[1:], " ")
	switch arguments = strings.TrimSpace(arguments); {
	case !found:
		return true
	case arguments == `""`:
		return given == ""
	case strings.HasPrefix(arguments, "^"):
		return expressionMatches(arguments, given)
	}
	level := strings.NewReplacer("/", "\x00")
	ok, err := path.Match(level.Replace(arguments), level.Replace(given))
	return ok || err != nil
}

// programMatches reports whether the program of a command in sudoers stands for another: ALL, a directory, or a pattern.
func programMatches(pattern, program string) bool {
	switch {
	case pattern == "ALL":
		return true
	case strings.HasPrefix(pattern, "^"):
		return expressionMatches(pattern, program)
	case strings.HasSuffix(pattern, "/"):
		dir, _ := path.Split(program)
		return dir == strings.ReplaceAll(pattern, `\`, "")
	}
	ok, err := path.Match(pattern, program)
	return ok || err != nil
}

// expressionMatches is for what sudo 1.9.10 and later take for a regular expression. One that cannot be read may match.
func expressionMatches(expression, text string) bool {
	e, err := regexp.Compile(expression)
	return err != nil || e.MatchString(text)
}
