package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/spf13/pflag"

	"github.com/seed354a1416/deliveryboy/process"
)

const maxConfig = 1 << 20

// A configFileError is a file that does not say right what to run.
type configFileError struct {
	file string
	err  error
}

func (e *configFileError) Error() string { return fmt.Sprintf("--config %s: %v", quote(e.file), e.err) }
func (e *configFileError) Unwrap() error { return e.err }

// readConfig reads a file in TOML. What it does not know is an error.
func readConfig(file string) (c process.Config, err error) {
	f, err := os.Open(file)
	if err != nil {
		return c, &configFileError{file, err}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxConfig+1))
	if err == nil && len(text) > maxConfig {
		err = fmt.Errorf("it is larger than %d bytes", maxConfig)
	}
	if err == nil {
		c, err = parseConfig(string(text))
	}
	if err != nil {
		return c, &configFileError{file, err}
	}
	return c, nil
}

func parseConfig(text string) (c process.Config, err error) {
	meta, err := toml.Decode(text, &c)
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return c, fmt.Errorf("line %d: %s", parse.Position.Line, strings.TrimPrefix(parse.Message, "toml: "))
	}
	if err != nil {
		return c, errors.New(strings.TrimPrefix(err.Error(), "toml: "))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return c, fmt.Errorf("the field %s is unknown", quote(unknown[0].String()))
	}
	return c, nil
}

// processFlags are flags about a process.
type processFlags struct {
	user, group string
	groups      []string
	dir         string
	env         envFlag
	umask       umaskFlag
	nice        niceFlag
	limits      limitFlag
	grace       durationFlag
	shell       bool
}

func (p *processFlags) add(f *pflag.FlagSet) {
	p.grace.most = maxTimeout
	f.StringVar(&p.user, "user", "", "the `user` that the program runs as, by name or number")
	f.StringVar(&p.group, "group", "", "its `group`, by name or number (default: the user's own)")
	f.StringSliceVar(&p.groups, "groups", nil, "its other groups, with commas between (default: the user's)")
	f.StringVar(&p.dir, "dir", "", "the directory there, a `path`")
	f.Var(&p.env, "env", "a `NAME=VALUE` for its environment; may be given many times")
	f.Var(&p.umask, "umask", "its umask")
	f.Var(&p.nice, "nice", "what to add to its priority, -20 to 19")
	f.Var(&p.limits, "limit", "a resource limit, `NAME=SOFT[:HARD]`, such as nofile=64:128; may be given many times")
	f.Var(&p.grace, "grace", "how long it may take to end when it is told to (default 10s)")
	f.BoolVar(&p.shell, "shell", false, "have /bin/sh run PROGRAM as it is, with the quoted ARGUMENTs behind it")
}

// set puts what was given into a Config.
func (p *processFlags) set(c *process.Config) {
	for _, f := range []struct {
		given string
		field *process.ID
	}{{p.user, &c.User}, {p.group, &c.Group}} {
		if f.given != "" {
			*f.field = process.ID(f.given)
		}
	}
	if len(p.groups) > 0 {
		c.Groups = nil
	}
	for _, g := range p.groups {
		c.Groups = append(c.Groups, process.ID(g))
	}
	if p.dir != "" {
		c.Dir = p.dir
	}
	if p.umask.given {
		c.Umask = p.umask.String()
	}
	if p.nice.given {
		c.Nice = p.nice.value
	}
	if p.grace.value > 0 {
		c.Grace = process.Duration(p.grace.value)
	}
	c.Shell = c.Shell || p.shell
	for _, entry := range p.env.entries {
		if c.Env == nil {
			c.Env = map[string]string{}
		}
		name, value, _ := strings.Cut(entry, "=")
		c.Env[name] = value
	}
	for name, l := range p.limits.limits {
		if c.Limits == nil {
			c.Limits = map[string]process.Limit{}
		}
		c.Limits[name] = l
	}
}

// limitFlag is a resource limit; it may be given many times.
type limitFlag struct{ limits map[string]process.Limit }

func (f *limitFlag) String() string { return "" }

func (f *limitFlag) Type() string { return "NAME=SOFT[:HARD]" }

func (f *limitFlag) Set(s string) error {
	name, text, ok := strings.Cut(s, "=")
	var l process.Limit
	if !ok || name == "" {
		return errors.New("it has no =; write NAME=SOFT or NAME=SOFT:HARD, such as nofile=64:128")
	}
	if err := l.UnmarshalText([]byte(text)); err != nil {
		return err
	}
	if f.limits == nil {
		f.limits = map[string]process.Limit{}
	}
	f.limits[name] = l
	return nil
}
