package process

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

const maxLabel = 64

func (c Config) checkEnv() error {
	for name, value := range c.Env {
		switch {
		case name == "" || strings.ContainsAny(name, "=\x00"):
			return c.wrong("env", fmt.Sprintf("%.80q: no variable has this name", name))
		case strings.ContainsRune(value, 0):
			return c.wrong("env."+name, "it holds a NUL byte: no program can be given one")
		}
	}
	if !slices.Contains([]Inherit{"", Under, Over, None}, c.Inherit) {
		return c.wrong("inherit", fmt.Sprintf("%.80q: it is one of %q, %q and %q", c.Inherit, Under, Over, None))
	}
	return nil
}

func (c Config) checkLabels() error {
	if len(c.Outputs) > 2 {
		return c.wrong("outputs", fmt.Sprintf("%d labels: there are stdout and stderr", len(c.Outputs)))
	}
	if len(c.Streams) > MaxStreams {
		return c.wrong("streams", fmt.Sprintf("%d labels: at most %d", len(c.Streams), MaxStreams))
	}
	seen := map[string]bool{"stdin": true} // what Write takes for the input
	for i, label := range slices.Concat(c.Outputs, c.Streams) {
		field, twice := "streams", true
		if i < len(c.Outputs) {
			field, twice = "outputs", i == 0
		}
		switch {
		case label == "" || len(label) > maxLabel || !labelWord(label):
			return c.wrong(field, fmt.Sprintf("%.80q: a label has 1 to %d letters, digits, \"_\" and \"-\"", label, maxLabel))
		case seen[label] && twice:
			return c.wrong(field, fmt.Sprintf("%.80q: the label is taken", label))
		}
		seen[label] = true
	}
	return nil
}

func labelWord(s string) bool {
	for i := range len(s) {
		switch b := s[i]; {
		case 'a' <= b && b <= 'z', 'A' <= b && b <= 'Z', '0' <= b && b <= '9', b == '_', b == '-':
		default:
			return false
		}
	}
	return true
}

func (c Config) checkNumbers() error {
	if strings.ContainsRune(c.Dir, 0) {
		return c.wrong("dir", "it holds a NUL byte: no directory has such a name")
	}
	if _, err := c.umask(); err != nil {
		return err
	}
	if c.Nice < -20 || c.Nice > 19 {
		return c.wrong("nice", fmt.Sprintf("%d: it is between -20 and 19", c.Nice))
	}
	for name, l := range c.Limits {
		if l.Soft > l.Hard {
			return c.wrong("limits."+name, fmt.Sprintf("%s: the soft limit is above the hard one", l))
		}
	}
	if c.WaitDelay < 0 {
		return c.wrong("wait_delay", fmt.Sprintf("%s: it is negative", c.WaitDelay))
	}
	return nil
}

// umask is the mask, or -1 if there is none.
func (c Config) umask() (int, error) {
	if c.Umask == "" {
		return -1, nil
	}
	n, err := strconv.ParseUint(c.Umask, 8, 32)
	if err != nil || n > 0o777 {
		return -1, c.wrong("umask", fmt.Sprintf("%.80q: it is octal, from 0 to 777", c.Umask))
	}
	return int(n), nil
}

func (c Config) checkUser() error {
	for field, ids := range map[string][]ID{"user": {c.User}, "group": {c.Group}, "groups": c.Groups} {
		for _, id := range ids {
			if strings.ContainsAny(string(id), "\x00\n:") || id == "" && field == "groups" {
				return c.wrong(field, fmt.Sprintf("%.80q: it is no name and no number", string(id)))
			}
		}
	}
	if len(c.Groups) > 0 && c.User == "" && c.Group == "" {
		return c.wrong("groups", "they need a user or a group")
	}
	return nil
}

func (c Config) checkDetach() error {
	if c.Detach && (len(c.Outputs) > 0 || c.Input || len(c.Streams) > 0) {
		return c.wrong("detach", "outputs, input and streams end with this process: give files as its Stdio, or none")
	}
	return nil
}
