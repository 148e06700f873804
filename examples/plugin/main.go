// Plugin has an ordinary plugin of hashicorp/go-plugin, a store of keys and values, run as root: sudo starts a copy of this
// program that serves it, and go-plugin's own client uses it, over the same pipe.
//
//	go run ./examples/plugin                            # root's store, through sudo
//	go run ./examples/plugin -via ssh=web1//sudo
//
// A store can also stay when this program ends. Its record says where it is, for this program or any host of go-plugin:
//
//	go build -o /tmp/kv ./examples/plugin
//	/tmp/kv -stay >/tmp/store.json
//	/tmp/kv -attach /tmp/store.json                     # as often as you like; through sudo, since it is root's
//	/tmp/kv -attach /tmp/store.json -stop
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// The set, as both sides know it: the copy of this program that sudo starts runs this line as well.
func init() {
	plugin.Provide("kv", plugin.Set{Handshake: handshake, Plugins: map[string]goPlugin{"store": &kvPlugin{store: newMemory()}}})
}

// A function beside it, in the same process.
var uid = registry.Register("uid", os.Getuid)

func main() {
	delivery.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("plugin", flag.ContinueOnError)
	flags.SetOutput(stderr)
	text := flags.String("via", "sudo", "where the store is: a transport in `spec` form")
	stay := flags.Bool("stay", false, "leave a store running, and print its record")
	record := flags.String("attach", "", "use the store whose record is in a `file`")
	end := flags.Bool("stop", false, "end that store")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	spec, err := transport.Parse(*text)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	slog.SetDefault(slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	options := delivery.SessionFor(spec)
	switch {
	case *record != "":
		err = attach(ctx, options, *record, *end, stdout)
	case *stay:
		err = start(ctx, options, stdout)
	default:
		err = use(ctx, options, stdout)
	}
	if err != nil {
		fmt.Fprintf(stderr, "%+v\n", err)
		return 1
	}
	return 0
}

// use has a store for as long as this program runs.
func use(ctx context.Context, o session.Options, stdout io.Writer) (err error) {
	root, err := plugin.Open(ctx, o.Via, "kv", plugin.Options{Session: o})
	if err != nil {
		return err
	}
	defer func() {
		if failed := root.Close(); err == nil {
			err = failed
		}
	}()
	fmt.Fprintf(stdout, "the store is with uid %d\n", uid.On(root)())
	return try(ctx, root, stdout)
}

// start leaves a store running.
func start(ctx context.Context, o session.Options, stdout io.Writer) error {
	s, err := session.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	record, err := plugin.Start(ctx, s, "kv")
	if err != nil {
		return err
	}
	return json.NewEncoder(stdout).Encode(record)
}

// attach uses a store that was left running.
func attach(ctx context.Context, o session.Options, file string, end bool, stdout io.Writer) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var record plugin.Record
	if err := json.Unmarshal(text, &record); err != nil {
		return err
	}
	s, err := session.Open(ctx, o)
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }()
	store, err := plugin.Reattach(ctx, record, plugin.AttachOptions{Over: s})
	if err != nil {
		return err
	}
	if end {
		return store.Stop(ctx)
	}
	defer func() { _ = store.Close() }()
	return try(ctx, store, stdout)
}

// try counts how often a store was used.
func try(ctx context.Context, from plugin.Dispenser, stdout io.Writer) error {
	store, err := plugin.Dispense[Store](from, "store")
	if err != nil {
		return err
	}
	used, err := store.Get(ctx, "used")
	if err != nil {
		fmt.Fprintln(stdout, "nothing yet:", err)
	}
	if err := store.Put(ctx, "used", used+"|"); err != nil {
		return err
	}
	used, err = store.Get(ctx, "used")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "used %d times\n", len(used))
	return nil
}
