package server

import (
	"context"
	"strconv"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/name"
	"github.com/seed354a1416/deliveryboy/kernel/value"
)

func init() {
	register(
		&command{words: "set", args: "[ttl=TIME] [sync=yes] NAME [VALUE]", run: setValue, help: `Set a value; without one, or with an empty one, clear it.
ttl is after how long it is gone: "90s", "24h". sync=yes answers when the value would survive
a crash of the machine, which all others do a second later; a crash of the kernel they survive
at once. Options come before the name.`},
		&command{words: "get", args: "NAME", run: getValue, help: `Show a value; nothing if there is none.
What is not one line of text comes as "set" would take it: in double quotes.`},
		&command{words: "cas", args: "[ttl=TIME] [sync=yes] NAME OLD NEW", run: swapValue, help: `Set a value if it is OLD now.
"" as OLD means that there must be none, "" as NEW clears it. The answer is yes or no.`},
		&command{words: "list values", args: "[NAME…]", run: listValues, help: "List values, each with its name."},
		&command{words: "remove values", args: "NAME…", run: removeValues, help: "Clear values; names that are not there are no error."},
	)
}

// change takes the options of a value off the arguments.
func (c *call) change() (value.Change, error) {
	var change value.Change
	options, rest, err := settings(c.args, "ttl", "sync")
	if err != nil {
		return change, err
	}
	c.args = rest
	if text, given := options["ttl"]; given {
		if change.TTL, err = time.ParseDuration(text); err != nil || change.TTL <= 0 {
			return change, kernel.Errorf(kernel.Usage, `ttl %s: it must be a time such as 90s or 24h`, line.Quote(shorten(text)))
		}
	}
	if text, given := options["sync"]; given {
		if change.Sync, err = kernel.ParseBool(text); err != nil {
			return change, kernel.Errorf(kernel.Usage, "sync %v", err)
		}
	}
	return change, nil
}

func setValue(_ context.Context, c *call) error {
	change, err := c.change()
	if err != nil {
		return err
	}
	if len(c.args) == 0 || c.args[0] == "*" {
		return kernel.Errorf(kernel.Usage, "Value requires a name")
	}
	if err := c.wants(1, 2); err != nil {
		return err
	}
	data := ""
	if len(c.args) == 2 {
		data = c.args[1]
	}
	return c.conn.server.values.Set(c.owner, c.args[0], data, change)
}

func getValue(_ context.Context, c *call) error {
	if err := c.wants(1, 1); err != nil {
		return err
	}
	if err := name.Check("value", c.args[0]); err != nil {
		return usage(err)
	}
	data, ok := c.conn.server.values.Get(c.owner, c.args[0])
	switch {
	case c.conn.isMachine(): // what there is, byte for byte
		c.out = append(c.out, data...)
	case !ok:
	case oneLine(data):
		c.out = append(append(c.out, data...), '\n')
	default:
		c.say(data)
	}
	return nil
}

// oneLine reports whether people can read a value as it is, and tell it from a quoted one.
func oneLine(data string) bool {
	if data[0] == '"' || !utf8.ValidString(data) {
		return false
	}
	for _, r := range data {
		if !unicode.IsPrint(r) {
			return false
		}
	}
	return true
}

func swapValue(_ context.Context, c *call) error {
	change, err := c.change()
	if err != nil {
		return err
	}
	if err := c.wants(3, 3); err != nil {
		return err
	}
	done, err := c.conn.server.values.CompareAndSet(c.owner, c.args[0], c.args[1], c.args[2], change)
	if err != nil {
		return err
	}
	answer := "no"
	if done {
		answer = "yes"
	}
	c.say(answer)
	return nil
}

func listValues(_ context.Context, c *call) error {
	patterns, err := name.ParseAll("value", c.args)
	if err != nil {
		return usage(err)
	}
	if err := c.hold(infoCost * c.conn.server.values.Names(c.owner)); err != nil {
		return err
	}
	for _, v := range c.conn.server.values.List(c.owner, patterns) {
		if err := c.measure(); err != nil {
			return err
		}
		words := []string{v.Name, v.Data}
		if !v.Expires.IsZero() {
			words = append(words, "expires="+strconv.FormatInt(v.Expires.Unix(), 10))
		}
		c.say(words...)
	}
	return nil
}

func removeValues(_ context.Context, c *call) error {
	patterns, err := name.ParseAll("value", c.args)
	if err != nil {
		return usage(err)
	}
	all := len(patterns) == 0
	for _, p := range patterns {
		all = all || p.All()
	}
	if all {
		return kernel.Errorf(kernel.Usage, "You cannot remove all variables")
	}
	_, err = c.conn.server.values.Remove(c.owner, patterns)
	return err
}
