package transport

import (
	"fmt"
	"strings"
)

const (
	maxEnvName     = 4095    // bytes in the name of an environment variable
	maxEnvironment = 1 << 20 // bytes in a whole environment, counting one NUL an entry
)

// dangerousNames and dangerousPrefixes are variables that make the loader, libc, the Go runtime, a shell or another
// interpreter load code or files of the caller's choice. They never travel to a worker. Most come from the list that
// sudo itself deletes.
var (
	dangerousNames = map[string]bool{
		"BASH_ENV": true, "ENV": true, "IFS": true, "SHELLOPTS": true, "BASHOPTS": true, "PS4": true,
		"PROMPT_COMMAND": true, "CDPATH": true, "GLOBIGNORE": true, "FPATH": true, "ZDOTDIR": true, "NULLCMD": true,
		"READNULLCMD": true, "TMPPREFIX": true,
		"GCONV_PATH": true, "NLSPATH": true, "PATH_LOCALE": true, "LOCPATH": true, "GETCONF_DIR": true,
		"GLIBC_TUNABLES": true, "NIS_PATH": true, "SHLIB_PATH": true, "LIBPATH": true, "AUTHSTATE": true,
		"HOSTALIASES": true, "LOCALDOMAIN": true, "RES_OPTIONS": true, "RESOLV_HOST_CONF": true,
		"RESOLV_ADD_TRIM_DOMAINS": true, "RESOLV_OVERRIDE_TRIM_DOMAINS": true,
		"TERMINFO": true, "TERMINFO_DIRS": true, "TERMPATH": true, "TERMCAP": true,
		"PERLLIB": true, "PERLIO_DEBUG": true, "RUBYLIB": true, "RUBYOPT": true, "NODE_OPTIONS": true,
		"NODE_PATH": true, "JAVA_TOOL_OPTIONS": true, "_JAVA_OPTIONS": true, "JDK_JAVA_OPTIONS": true,
	}
	dangerousPrefixes = []string{"LD_", "_RLD", "LDR_", "DYLD_", "GO", "MALLOC_", "PERL5", "PYTHON", "BASH_FUNC_", "KRB5_"}
)

// CheckEnv checks one "NAME=VALUE" that a caller wants in a worker's environment: NAME is [A-Za-z_][A-Za-z0-9_]* of
// at most 4095 bytes and none of the variables that can take over a privileged program (LD_*, DYLD_*, GO*, BASH_ENV,
// PERL5*, PYTHON* and their like); VALUE has no NUL and no newline. PATH passes: who starts a privileged worker
// decides about it.
func CheckEnv(entry string) error {
	name, value, found := strings.Cut(entry, "=")
	if !found {
		return invalid("environment", entry, "has no '='; write NAME=VALUE")
	}
	if err := checkEnvName(name); err != nil {
		return err
	}
	if i := strings.IndexAny(value, "\x00\n"); i >= 0 {
		kind := "newline"
		if value[i] == 0 {
			kind = "NUL byte"
		}
		return fmt.Errorf("transport: environment variable %s: the value contains a %s, which is refused", shown(name), kind)
	}
	return nil
}

// CheckEnvironment checks every entry like [CheckEnv], refuses a name that stands there twice, and refuses more than
// 1 MiB in all.
func CheckEnvironment(entries []string) error {
	total := 0
	seen := make(map[string]bool, len(entries))
	for _, entry := range entries {
		if err := CheckEnv(entry); err != nil {
			return err
		}
		name, _, _ := strings.Cut(entry, "=")
		if seen[name] {
			return invalid("environment variable", name, "is given twice")
		}
		seen[name] = true
		total += len(entry) + 1
	}
	if total > maxEnvironment {
		return fmt.Errorf("transport: environment: has %d bytes; at most %d are allowed, send data on stdin", total,
			maxEnvironment)
	}
	return nil
}

func checkEnvName(name string) error {
	const what = "environment variable"
	switch {
	case name == "":
		return invalid(what, name, "has no name; write NAME=VALUE")
	case len(name) > maxEnvName:
		return invalid(what, name, fmt.Sprintf("has %d bytes; at most %d are allowed", len(name), maxEnvName))
	case '0' <= name[0] && name[0] <= '9':
		return invalid(what, name, "begins with a digit; names are [A-Za-z_][A-Za-z0-9_]*")
	}
	for i := range len(name) {
		if c := name[i]; !nameByte(c) || c == '-' {
			return invalid(what, name, fmt.Sprintf("byte %s is not allowed; names are [A-Za-z_][A-Za-z0-9_]*", shownByte(c)))
		}
	}
	if dangerousEnv(name) {
		return invalid(what, name, "is never passed to a worker: it can make a privileged program load other code")
	}
	return nil
}

func dangerousEnv(name string) bool {
	if dangerousNames[name] {
		return true
	}
	for _, prefix := range dangerousPrefixes {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}
