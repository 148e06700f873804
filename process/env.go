package process

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// environ are the variables that the program gets, sorted where the Config has them. With a Dir, PWD is that, unless the
// Config says otherwise: programs trust it if it is where they are.
func (c Config) environ() []string {
	env := []string{} // nil would be this process's
	if c.Inherit != None {
		env = os.Environ()
	}
	if c.Dir != "" && c.Inherit != None {
		if dir, err := filepath.Abs(c.Dir); err == nil {
			env = set(env, "PWD", dir)
		}
	}
	names := make([]string, 0, len(c.Env))
	for name := range c.Env {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		if _, taken := lookup(env, name); !taken || c.Inherit != Over {
			env = set(env, name, c.Env[name])
		}
	}
	return env
}

// set replaces a variable, or adds it.
func set(env []string, name, value string) []string {
	env = slices.DeleteFunc(env, func(entry string) bool { return strings.HasPrefix(entry, name+"=") })
	return append(env, name+"="+value)
}

// lookup finds a variable; the last one counts.
func lookup(env []string, name string) (value string, ok bool) {
	for _, entry := range slices.Backward(env) {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value, true
		}
	}
	return "", false
}
