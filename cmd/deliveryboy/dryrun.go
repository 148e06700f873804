package main

import (
	"context"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// plan is what a call would run, for programs.
type plan struct {
	DryRun    bool     `json:"dry_run"` // always true: nothing was run
	Function  string   `json:"function"`
	Signature string   `json:"signature"`
	Via       string   `json:"via"`
	Arguments int      `json:"arguments"`
	Bytes     int64    `json:"bytes"` // of the packed arguments
	Dir       string   `json:"dir,omitempty"`
	Env       []string `json:"env,omitempty"` // names only: values may be secrets
	Umask     string   `json:"umask,omitempty"`
	Nice      int      `json:"nice,omitempty"`
	Hops      []hop    `json:"hops"`
}

// hop is what one hop runs, for programs.
type hop struct {
	Hop  string   `json:"hop"`
	Argv []string `json:"argv"`
}

// explain shows what a call would run. It packs the arguments, so that what cannot travel shows, and runs nothing.
func (c *call) explain(ctx context.Context, entry *registry.Entry, args []reflect.Value, once delivery.Once) error {
	packed, err := entry.Pack(ctx, args)
	if err != nil {
		return err
	}
	worker := once.Program
	if worker == "" {
		if worker, err = program(); err != nil {
			return err
		}
	}
	argv := delivery.WorkerArgv(worker, entry.Name())
	if once.Deploy.On {
		p, err := deploy.Prepare(once.Deploy)
		if err != nil {
			return err
		}
		argv = p.Shown(entry.Name())
	}
	hops, err := hopsOf(c.ask.shown(once.Via), argv)
	if err != nil {
		return err
	}
	way, err := c.via.way.explain(c.ask.shown)
	if err != nil {
		return err
	}
	// Unlike Explain, Build looks for the program on this machine, and refuses one that others may replace.
	if len(way) > 0 {
		hops = append(way, hops...)
	} else if hops[0].Argv, err = transport.Build(c.ask.shown(once.Via), argv); err != nil {
		return &transportError{err}
	}
	p := plan{
		DryRun: true, Function: entry.Name(), Signature: entry.Signature(), Via: c.via.text, Arguments: len(args),
		Bytes: packed.Args.Size(), Dir: once.Dir, Env: envNames(once.Env), Nice: once.Nice, Hops: hops,
	}
	switch {
	case once.Umask > 0:
		p.Umask = fmt.Sprintf("%03o", once.Umask)
	case once.Umask < 0:
		p.Umask = "000"
	}
	if c.json {
		return writeJSON(c.out, p)
	}
	_, err = c.out.WriteString(p.text())
	return err
}

func (p plan) text() string {
	pairs := [][]string{
		{"function", p.Function},
		{"signature", p.Signature},
		{"via", p.Via},
		{"arguments", fmt.Sprintf("%d, %d bytes packed", p.Arguments, p.Bytes)},
	}
	for _, s := range []struct{ name, value string }{
		{"dir", p.Dir}, {"env", strings.Join(p.Env, " ")}, {"umask", p.Umask},
	} {
		if s.value != "" {
			pairs = append(pairs, []string{s.name, s.value})
		}
	}
	if p.Nice != 0 {
		pairs = append(pairs, []string{"nice", strconv.Itoa(p.Nice)})
	}
	return display.Pairs(pairs) + hopsText(p.Hops) + "nothing was run\n"
}

func envNames(entries []string) []string {
	var names []string
	for _, entry := range entries {
		name, _, _ := strings.Cut(entry, "=")
		names = append(names, name)
	}
	return names
}
