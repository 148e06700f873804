package main

import (
	"os"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A target is a place where the audits run.
type target struct {
	name    string
	via     transport.Transport // nil is this process
	root    bool                // whether the real root runs there, so that every audit must succeed
	missing string              // why it cannot be visited here; empty if it can
}

// courier is the one that starts a fresh worker there for each call.
func (t target) courier() box.Courier { return delivery.Once{Via: t.via} }

// via is what to show: the transport in the form that transport.Parse reads.
func (t target) String() string {
	if t.via == nil {
		return "-"
	}
	return t.via.String()
}

var names = []string{"process", "copy", "userns", "sudo", "ssh", "ssh+sudo"}

func targetNames() string { return strings.Join(names, ", ") }

func isTarget(name string) bool { return slices.Contains(names, name) }

// targetsHere lists all targets, with the reason where one is missing.
func targetsHere(here *stage.Stage) []target {
	amRoot := os.Geteuid() == 0
	ssh := transport.SSH{Host: "127.0.0.1", User: here.User, Port: here.SSHPort} // key and host key: ~/.ssh/config
	lacks := func(features ...string) string {
		for _, feature := range features {
			if ok, why := here.Has(feature); !ok {
				return why
			}
		}
		return ""
	}
	return []target{
		{name: "process", root: amRoot},
		{name: "copy", via: transport.Self{}, root: amRoot},
		{name: "userns", via: transport.Userns{}, missing: lacks(stage.Userns)},
		{name: "sudo", via: transport.Sudo{}, root: true, missing: lacks(stage.Sudo)},
		{name: "ssh", via: ssh, missing: lacks(stage.SSH)},
		{name: "ssh+sudo", via: transport.Chain{ssh, transport.Sudo{}}, root: true, missing: lacks(stage.SSH, stage.Sudo)},
	}
}
