package transport

import (
	"fmt"
	"strconv"
	"strings"
)

// A setting is a key that concerns the worker; it may stand anywhere.
type setting struct {
	name string
	set  func(spec *Spec, value string) error
}

var settings = []setting{
	{"id", setID},
	{"binary", func(s *Spec, v string) error { s.Binary = v; return checkAbsolute("binary", v) }},
	{"chdir", func(s *Spec, v string) error { s.Dir = v; return checkDir(v) }},
	{"nice", setNice},
	{"umask", setUmask},
}

const (
	maxSpecID  = 128  // bytes in id=
	maxDirPath = 4095 // bytes in chdir= (PATH_MAX without its NUL)
)

func setID(s *Spec, value string) error {
	s.ID = value
	if value == "" || len(value) > maxSpecID || value[0] == '-' || value[0] == '.' {
		return invalid("id", value, fmt.Sprintf("must have 1 to %d bytes and begin with a letter, a digit or '_'", maxSpecID))
	}
	for i := range len(value) {
		if c := value[i]; !nameByte(c) && c != '.' {
			return invalid("id", value, fmt.Sprintf("byte %s is not allowed; use letters, digits, '_', '.', '-'", shownByte(c)))
		}
	}
	return nil
}

func checkDir(dir string) error {
	if dir == "" || len(dir) > maxDirPath {
		return invalid("chdir", dir, fmt.Sprintf("must have 1 to %d bytes", maxDirPath))
	}
	return checkText("chdir", dir)
}

func setNice(s *Spec, value string) error {
	nice, err := strconv.Atoi(value)
	if err != nil || nice < -20 || nice > 19 {
		return invalid("nice", value, "must be a number from -20 to 19")
	}
	s.Nice = nice
	return nil
}

func setUmask(s *Spec, value string) error {
	s.Umask = value
	if value == "" || len(value) > 4 || value[0] == '+' || value[0] == '-' {
		return invalid("umask", value, "must be octal, from 000 to 0777")
	}
	if n, err := strconv.ParseUint(value, 8, 32); err != nil || n > 0o777 {
		return invalid("umask", value, "must be octal, from 000 to 0777")
	}
	return nil
}

// takeSetting reports whether the key is a setting, and takes it.
func (p *parser) takeSetting(part segment) (known bool, err error) {
	if name, isEnv := strings.CutPrefix(part.key, "env:"); isEnv {
		return true, p.takeEnv(name, part)
	}
	for _, s := range settings {
		if s.name != part.key {
			continue
		}
		if err := p.once(part); err != nil {
			return true, err
		}
		return true, s.set(&p.spec, part.value)
	}
	return false, nil
}

func (p *parser) takeEnv(name string, part segment) error {
	entry := name + "=" + part.value
	if !part.hasValue {
		entry = name
	}
	if err := CheckEnv(entry); err != nil {
		return keyError{err}
	}
	if err := p.once(part); err != nil {
		return err
	}
	p.spec.Env = append(p.spec.Env, entry)
	if p.envBytes += len(entry) + 1; p.envBytes > maxEnvironment {
		return badKey("the environment passes %d bytes; send data on stdin", maxEnvironment)
	}
	return nil
}

// takeExtra keeps an unknown key as it stands.
func (p *parser) takeExtra(part segment) error {
	if part.key == "" || part.key[0] == '_' || part.key[0] == '-' {
		return badKey("unknown key %s: must not be empty or begin with '_' or '-'", shown(part.key))
	}
	for i := range len(part.key) {
		if c := part.key[i]; !nameByte(c) && c != '.' && c != ':' {
			return badKey("unknown key %s: byte %s is not allowed", shown(part.key), shownByte(c))
		}
	}
	if err := p.once(part); err != nil {
		return err
	}
	entry := part.key
	if part.hasValue {
		entry += "=" + part.value
	}
	p.spec.Extra = append(p.spec.Extra, entry)
	return nil
}

// once refuses a setting that was there before.
func (p *parser) once(part segment) error {
	if at, twice := p.seen[part.key]; twice {
		return badKey("%s is given twice, first at byte %d", part.key, at)
	}
	p.seen[part.key] = part.offset
	return nil
}
