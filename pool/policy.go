package pool

import (
	"fmt"
	"os"
	"reflect"
	"slices"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/registry"
)

// A policy is the rules of a server, with the numbers of those they are for.
type policy struct {
	own   int
	rules []Rule
	ids   []int
	only  []string
}

func newPolicy(rules []Rule, only []string) (policy, error) {
	p := policy{own: os.Geteuid(), rules: rules, only: only}
	if len(rules) > maxRules {
		return p, fmt.Errorf("pool: %d rules: there can be %d", len(rules), maxRules)
	}
	for i := range rules {
		err := rules[i].check()
		id := 0
		if err == nil {
			id, err = rules[i].id()
		}
		if err != nil {
			return p, fmt.Errorf("pool: rule %d, for %.200s: %w", i+1, rules[i].User+rules[i].Group, err)
		}
		p.ids = append(p.ids, id)
	}
	for _, name := range only {
		if _, ok := registry.Lookup(name); !ok {
			return p, fmt.Errorf("pool: function %.200q: it is not registered", name)
		}
	}
	return p, nil
}

// users and groups are who may connect, by number.
func (p *policy) users() (list []string) { return p.listed(func(r *Rule) bool { return r.User != "" }) }
func (p *policy) groups() (list []string) {
	return p.listed(func(r *Rule) bool { return r.Group != "" })
}

func (p *policy) listed(want func(*Rule) bool) (list []string) {
	for i := range p.rules {
		if want(&p.rules[i]) {
			list = append(list, fmt.Sprintf("#%d", p.ids[i]))
		}
	}
	return list
}

// owner reports whether somebody may all: whoever could take the server's place anyway.
func (p *policy) owner(who Peer) bool { return who.UID == 0 || who.UID == p.own }

// offers reports whether a function is there, for a client that is narrowed to names.
func (p *policy) offers(names []string, name string) bool {
	return (len(p.only) == 0 || slices.Contains(p.only, name)) && (len(names) == 0 || slices.Contains(names, name))
}

// A DeniedError says that a client may not have something done. It does not say whether that exists.
type DeniedError struct{ UID int }

func (e *DeniedError) Error() string {
	return fmt.Sprintf("pool: uid %d may not have this done here", e.UID)
}

func init() { box.RegisterError[*DeniedError]() } //nolint:gochecknoinits // both sides know it

// check refuses what a client may not have done.
func (p *policy) check(who Peer, e *registry.Entry, b *box.Box) error {
	if p.owner(who) {
		return nil
	}
	var argv []string
	if runsCommands(b.Func) {
		var ok bool
		if argv, ok = commandOf(e, b); !ok {
			return &DeniedError{who.UID}
		}
	}
	for i := range p.rules {
		r := &p.rules[i]
		if r.User != "" && p.ids[i] != who.UID || r.Group != "" && !slices.Contains(who.Groups, p.ids[i]) {
			continue
		}
		if argv != nil && r.allows(argv) || argv == nil && slices.Contains(r.Functions, b.Func) {
			return nil
		}
	}
	return &DeniedError{who.UID}
}

// runsCommands reports whether a function runs what its arguments say.
func runsCommands(name string) bool { return name == runName || name == process.FunctionName }

// commandOf is the argv that a box of such a function would run, if it is that and nothing else: no variables, no other
// directory or user, no shell.
func commandOf(e *registry.Entry, b *box.Box) (argv []string, ok bool) {
	args, err := e.Open(b)
	if err != nil || len(args) == 0 {
		return nil, false
	}
	switch b.Func {
	case runName:
		order, is := args[0].Interface().(Order)
		if !is {
			return nil, false
		}
		plain := Order{Argv: order.Argv, Stdin: order.Stdin, Merge: order.Merge, Limit: order.Limit}
		return order.Argv, len(order.Argv) > 0 && reflect.DeepEqual(order, plain)
	case process.FunctionName:
		return configOf(args[0])
	}
	return nil, false
}

// configOf is the argv of a process that a client describes.
func configOf(task reflect.Value) (argv []string, ok bool) {
	field, ask := task.FieldByName("Config"), task.FieldByName("Ask")
	if !field.IsValid() || !ask.IsValid() || !ask.IsZero() {
		return nil, false
	}
	c, is := field.Interface().(process.Config)
	if !is || len(c.Argv) == 0 || c.Program != "" && c.Program != c.Argv[0] {
		return nil, false
	}
	plain := process.Config{
		Name: c.Name, Argv: c.Argv, Program: c.Program, Input: c.Input, Outputs: c.Outputs, Grace: c.Grace, WaitDelay: c.WaitDelay,
	}
	return c.Argv, reflect.DeepEqual(c, plain)
}
