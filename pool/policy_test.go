package pool_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/registry"
)

// Others than root and the server's own user may what the rules say, and nothing else; they are all told the same.
func TestRules(t *testing.T) {
	s := newServer(t, pool.ServeOptions{Rules: []pool.Rule{
		{User: "#54321", Functions: []string{"pid", "title"}, Commands: [][]string{{"/bin/echo", "a", "b"}}},
		{Group: "#54323", Commands: [][]string{{"/bin/ls", "-d", pool.More}}},
		{User: "#1234", Functions: []string{"hidden"}, Commands: [][]string{{"/bin/date", pool.More}}},
	}})
	c := dial(t, s, stranger)
	_, err := pid.On(c)(t.Context())
	must(t, err)
	allowed := [][]string{{"/bin/echo", "a", "b"}, {"/bin/ls", "-d"}, {"/bin/ls", "-d", "/usr", "/etc"}}
	for _, argv := range allowed {
		if out, err := c.Run(t.Context(), argv...); err != nil || out.Code != 0 {
			t.Errorf("%q: %v, %+v", argv, err, out)
		}
		if err := c.Command(t.Context(), argv[0], argv[1:]...).Run(); err != nil {
			t.Errorf("%q: %v", argv, err)
		}
		h, err := c.Start(t.Context(), argv...)
		if err != nil {
			t.Errorf("%q: %v", argv, err)
			continue
		}
		_, _, err = h.Communicate(t.Context(), nil)
		must(t, err)
		must(t, h.Close())
	}
	denied := func(what string, err error) {
		t.Helper()
		var d *pool.DeniedError
		if !errors.As(err, &d) || d.Error() != "pool: uid 54321 may not have this done here" {
			t.Errorf("%s: %+v", what, err)
		}
	}
	for _, argv := range [][]string{
		{"/bin/echo"}, {"/bin/echo", "a"}, {"/bin/echo", "a", "b", "c"}, {"/bin/echo", "a b"}, {"echo", "a", "b"}, {"/bin/ls"},
		{"/bin/ls", "/"}, {"/bin/date"}, {"/bin/../bin/ls", "-d"}, {"/bin/sh", "-c", "id"},
	} {
		_, err := c.Run(t.Context(), argv...)
		denied(strings.Join(argv, " "), err)
		denied("as a command: "+strings.Join(argv, " "), c.Command(t.Context(), argv[0], argv[1:]...).Run())
	}
	_, err = hidden.On(c)()
	denied("a function", err)
	for _, o := range []pool.Order{
		{Shell: "/bin/echo a b"}, {Argv: []string{"/bin/ls", "-d"}, Env: []string{"A=1"}}, {Argv: []string{"/bin/ls", "-d"}, Dir: "/usr"},
	} {
		_, err := c.RunOrder(t.Context(), o)
		denied("an order", err)
	}
	ls := []string{"/bin/ls", "-d"}
	for _, cfg := range []process.Config{
		{Argv: ls, Env: map[string]string{"A": "1"}}, {Argv: ls, Dir: "/usr"}, {Argv: ls, User: "root"}, {Argv: ls, Umask: "0"},
		{Argv: ls, Program: "/bin/sh"}, {Argv: ls[1:], Cmdline: "/bin/ls"}, {Argv: ls, Nice: 1}, {Argv: ls, Streams: []string{"x"}},
		{Argv: ls, Expand: true}, {Cmdline: "/bin/ls", Shell: true}, {Argv: ls, Inherit: process.None},
	} {
		_, err := c.StartConfig(t.Context(), cfg)
		denied("a process", err)
	}
	_, err = process.On(c).LookPath(t.Context(), "ls")
	denied("a look for a program", err)
	all := dial(t, s, pool.Peer{UID: 0})
	if out, err := all.Shell(t.Context(), "echo $((1+1))"); err != nil || string(out.Stdout) != "2\n" {
		t.Errorf("root: %q, %v", out.Stdout, err)
	}
}

// A program that others can replace would be any program.
func TestRulesForProgramsOfOthers(t *testing.T) {
	dir := t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "open"), 0o777))
	must(t, os.Chmod(filepath.Join(dir, "open"), 0o777))
	for _, name := range []string{"open/program", "program", "writable"} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"), 0o755))
	}
	must(t, os.Chmod(filepath.Join(dir, "writable"), 0o757))
	must(t, os.Symlink("open/program", filepath.Join(dir, "link")))
	for name, good := range map[string]bool{
		"program": true, "later/it/comes": true, "open/program": false, "writable": false, "link": false, "open/later": false,
	} {
		s, err := pool.NewServer(t.Context(), pool.ServeOptions{Rules: []pool.Rule{{User: "#1", Commands: [][]string{{filepath.Join(dir, name)}}}}})
		if err == nil {
			_ = s.Close()
		}
		if good != (err == nil) || err != nil && !strings.Contains(err.Error(), "can be changed by group or others") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestBadRules(t *testing.T) {
	for want, r := range map[string]pool.Rule{
		"give one of User and Group":      {Functions: []string{"pid"}},
		"it allows nothing":               {User: "#1"},
		"it runs any command":             {User: "#1", Functions: []string{"deliveryboy.pool.run"}},
		"name those that may":             {User: "#1", Functions: []string{process.FunctionName}},
		"it is not registered":            {User: "#1", Functions: []string{"nothing"}},
		"a clean absolute path":           {User: "#1", Commands: [][]string{{"ls"}}},
		"can only be the last word":       {User: "#1", Commands: [][]string{{"/bin/ls", "...", "x"}}},
		"NUL byte":                        {User: "#1", Commands: [][]string{{"/bin/ls", "\x00"}}},
		"#x is no number":                 {User: "#x", Functions: []string{"pid"}},
		"unknown group":                   {Group: "no-such-group", Functions: []string{"pid"}},
		"unknown user no-such-user":       {User: "no-such-user", Functions: []string{"pid"}},
		"give one of User and Group ":     {User: "#1", Group: "#1", Functions: []string{"pid"}},
		"its program must be a clean abs": {User: "#1", Commands: [][]string{{"/bin/../bin/ls"}}},
	} {
		s, err := pool.NewServer(t.Context(), pool.ServeOptions{Rules: []pool.Rule{r}})
		if err == nil {
			_ = s.Close()
		}
		if err == nil || !strings.Contains(err.Error(), strings.TrimSpace(want)) {
			t.Errorf("%+v: %v; want %q", r, err, want)
		}
	}
}

// One of many users cannot take all the room.
func TestMaxPerUser(t *testing.T) {
	s := newServer(t, pool.ServeOptions{MaxPerUser: 2, Rules: []pool.Rule{{User: "#54321", Functions: []string{"pid"}}}})
	first, second := dial(t, s, stranger), dial(t, s, stranger)
	_, err := pool.DialVia(t.Context(), s.Via(stranger))
	if err == nil || !strings.Contains(err.Error(), "uid 54321 has 2 connections") {
		t.Errorf("%v", err)
	}
	for range 5 {
		dial(t, s, owner)
	}
	must(t, first.Close())
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if c, err := pool.DialVia(t.Context(), s.Via(stranger)); err == nil {
			must(t, c.Close())
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("there is no room again")
		}
	}
	_, err = pid.On(second)(t.Context())
	must(t, err)
}

// EB-12: what is offered is what is registered, or of that what the server names; whoever asks.
func TestEB12OnlyWhatIsOffered(t *testing.T) {
	c := dial(t, newServer(t, pool.ServeOptions{Only: []string{"pid"}}), owner)
	if _, err := c.Run(t.Context(), "true"); err == nil || !strings.Contains(err.Error(), "no such function is offered here") {
		t.Errorf("%v", err)
	}
	names := registry.Names()
	if !slices.Contains(names, "deliveryboy.pool.run") || !slices.Contains(names, process.FunctionName) {
		t.Errorf("registered are %q", names)
	}
}
