package plugin

import (
	"context"
	"fmt"
	"path"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// StartOptions are how a detached plugin is started. The zero value of every field is its default.
type StartOptions struct {
	// Expect is what this side takes the set for. Zero: what it provides itself under that name.
	Expect Set

	// Dir is the directory on the far side in which the plugin gets one of its own, with mode 0700, for its socket and its
	// log. It has to be there, and its path short: that of a socket has less than 108 bytes. Empty: /run for root, else
	// /run/user/UID if that is there, else the directory for temporary files.
	Dir string

	// Idle ends the plugin when it has had no connection for so long. 0: it stays.
	Idle time.Duration

	// Log is how many bytes of what the plugin prints are kept, in a file and an older one. 0: 1 MiB. Below 0: none; what
	// it prints goes to /dev/null.
	Log int64
}

const defaultLog = 1 << 20

// start is what the far side does for Start.
var start = registry.Register("deliveryboy.plugin.start", startDetached)

// An order is what a detached plugin is started with.
type order struct {
	Question question
	Dir      string // its own, when it gets there
	Idle     time.Duration
	Log      int64
}

// Start has c's side start a process that serves a set and stays when c's worker, and this program, have ended. There it
// runs as the user that functions run as. When ctx is done before Start has returned, the process ends.
//
// Whoever has the record can attach to the plugin, if the socket is in reach: from a process of that user, or of root, on
// that machine.
func Start(ctx context.Context, c box.Courier, name string, options ...StartOptions) (Record, error) {
	var o StartOptions
	if len(options) > 0 {
		o = options[0]
	}
	expect, err := expected(name, o.Expect)
	switch {
	case err != nil:
		return Record{}, err
	case o.Idle < 0:
		return Record{}, fmt.Errorf("plugin: start %q: field Idle %s: it must not be negative", name, o.Idle)
	case o.Dir != "" && !path.IsAbs(o.Dir):
		return Record{}, fmt.Errorf("plugin: start %q: field Dir %q: an absolute path is needed", name, o.Dir)
	}
	if o.Log == 0 {
		o.Log = defaultLog
	}
	ask := order{Question: question{Set: name, Env: expect.env()}, Dir: o.Dir, Idle: o.Idle, Log: o.Log}
	r, err := start.On(c)(ctx, ask)
	if err != nil {
		return Record{}, fmt.Errorf("plugin: start %q: %w", name, err)
	}
	return r, nil
}
