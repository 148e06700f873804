package child

import (
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// check refuses what cannot be started, and fills in what was left out.
func (s *Spec) check() error {
	if err := name.Check("process", s.Name); err != nil {
		return kernel.Errorf(kernel.Usage, "%s", capital(err.Error()))
	}
	for _, d := range []struct{ field, value *string }{
		{&s.Stdin, ptr(Discard)}, {&s.Stdout, ptr(Pipe)}, {&s.Stderr, ptr(Pipe)}, {&s.Overflow, ptr(DropOldest)},
	} {
		if *d.field == "" {
			*d.field = *d.value
		}
	}
	switch {
	case len(s.Args) == 0 || s.Args[0] == "":
		return kernel.Errorf(kernel.Usage, "No command")
	case len(s.Args) > MaxArgs:
		return kernel.Errorf(kernel.Usage, "process %s: %d arguments; there may be %d", s.Name, len(s.Args), MaxArgs)
	case len(s.Env) > MaxEnv:
		return kernel.Errorf(kernel.Usage, "process %s: %d variables; there may be %d", s.Name, len(s.Env), MaxEnv)
	case s.Bufsize < 0 || s.Bufsize > MaxBufsize:
		return kernel.Errorf(kernel.Usage, "bufsize %d: it must be between 0 and %dg", s.Bufsize, MaxBufsize>>30)
	case s.Overflow != DropOldest && s.Overflow != Block:
		return kernel.Errorf(kernel.Usage, "overflow must be %s or %s", DropOldest, Block)
	}
	if err := s.checkStreams(); err != nil {
		return err
	}
	if err := s.checkWords(); err != nil {
		return err
	}
	s.normalise()
	return nil
}

func ptr(s string) *string { return &s }

// capital has a text begin with a capital letter.
func capital(s string) string {
	if strings.HasPrefix(s, "a ") {
		return strings.ToUpper(s[2:3]) + s[3:]
	}
	return s
}

func (s *Spec) checkStreams() error {
	for _, stream := range []struct {
		name, value string
		allowed     []string
	}{
		{"stdin", s.Stdin, []string{Pipe, Discard}},
		{"stdout", s.Stdout, []string{Pipe, Discard}},
		{"stderr", s.Stderr, []string{Pipe, Discard, Merged}},
	} {
		if !slices.Contains(stream.allowed, stream.value) {
			return kernel.Errorf(kernel.Usage, "%s must be %s", stream.name, strings.Join(stream.allowed, " or "))
		}
	}
	return nil
}

func (s *Spec) checkWords() error {
	for _, word := range slices.Concat(s.Args, s.Env, []string{s.Dir}) {
		if strings.IndexByte(word, 0) >= 0 {
			return kernel.Errorf(kernel.Usage, "%s: no system takes a NUL there", line.Quote(word[:min(len(word), 80)]))
		}
	}
	seen := map[string]bool{}
	for _, v := range s.Env {
		key, _, ok := strings.Cut(v, "=")
		if !ok || key == "" || seen[key] {
			return kernel.Errorf(kernel.Usage, "environment %s: it must be NAME=value, and each name there once", line.Quote(key[:min(len(key), 80)]))
		}
		seen[key] = true
	}
	for key := range s.Limits {
		if _, ok := resources[key]; !ok {
			return kernel.Errorf(kernel.Usage, "Unknown rlimit %s; there are: %s", line.Quote(key[:min(len(key), 80)]), strings.Join(limitNames(), " "))
		}
	}
	for i, c := range s.Consumers {
		if err := name.Check("consumer", c); err != nil {
			return kernel.Errorf(kernel.Usage, "%s", capital(err.Error()))
		}
		if slices.Contains(s.Consumers[:i], c) || i >= MaxConsumers {
			return kernel.Errorf(kernel.Usage, "process %s: consumer %s is there twice, or there are more than %d", s.Name, c, MaxConsumers)
		}
	}
	for _, id := range []*int{s.UID, s.GID} {
		if id != nil && (*id < 0 || int64(*id) >= 1<<32-1) {
			return kernel.Errorf(kernel.Usage, "process %s: %d is no number of a user or group", s.Name, *id)
		}
	}
	return nil
}

// normalise makes equal what is the same.
func (s *Spec) normalise() {
	if len(s.Env) == 0 {
		s.Env = nil
	}
	if len(s.Limits) == 0 {
		s.Limits = nil
	}
	if len(s.Consumers) == 0 {
		s.Consumers = nil
	}
	if len(s.Listen) == 0 {
		s.Listen = nil
	}
	slices.Sort(s.Env)
}

func limitNames() []string {
	var names []string
	for n := range resources {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}
