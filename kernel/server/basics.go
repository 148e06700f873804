package server

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
)

func init() {
	register(
		&command{words: "quit", help: "Close this connection.", run: quit},
		&command{words: "exit-if-idle", whole: true, run: exitIfIdle, help: `End the kernel, if it has nothing to keep, when this connection closes.
A connection that is made before then keeps it. The word cannot be abbreviated.`},
		&command{words: "mode", args: "machine|console|text", run: setMode, help: `Say how requests and replies look: for programs, or for people.
In machine mode a request begins with a tag, up to 32 bytes that the program chooses, and may be
sent before earlier ones are answered. A reply is "TAG ok LENGTH" or "TAG error CODE LENGTH", a
line feed, and LENGTH bytes. "TAG more LENGTH" brings a part of a reply that goes on; a line with
the tag of a command that runs is for that command. Console mode is machine mode with replies that
are for people, as a shell wants them.`},
		&command{words: "status", run: status, help: "Show what the kernel is, and how much it keeps."},
		&command{words: "help", args: "[COMMAND]", run: help, help: "Say what commands there are, or all about one."},
	)
}

func quit(_ context.Context, c *call) error {
	if err := c.wants(0, 0); err != nil {
		return err
	}
	c.conn.bye = true
	return nil
}

func setMode(_ context.Context, c *call) error {
	if err := c.wants(1, 1); err != nil {
		return err
	}
	mode := c.args[0]
	if mode != "machine" && mode != "console" && mode != "text" {
		return kernel.Errorf(kernel.Usage, "The mode must be machine, console or text")
	}
	c.conn.runMu.Lock()
	busy := len(c.conn.running) > 0
	c.conn.runMu.Unlock()
	if busy {
		return kernel.Errorf(kernel.Unavailable, "The mode cannot change while commands run on this connection")
	}
	c.conn.writeMu.Lock()
	c.conn.machine, c.conn.people = mode != "text", mode == "console"
	c.conn.writeMu.Unlock()
	return nil
}

func exitIfIdle(_ context.Context, c *call) error {
	if err := c.wants(0, 0); err != nil {
		return err
	}
	s := c.conn.server
	if c.conn.guest() {
		return kernel.Errorf(kernel.Denied, "permission denied: exit-if-idle is for the kernel's own user, and root")
	}
	if busy := s.keeps(); busy != "" {
		return kernel.Errorf(kernel.Unavailable, "not idle: there are %s", busy)
	}
	s.mu.Lock()
	s.goodbye = c.conn
	s.mu.Unlock()
	c.printf("Exiting when this connection closes\n")
	return nil
}

// guest reports whether this is neither the kernel's own user nor root.
func (c *conn) guest() bool { return c.peer.UID != 0 && c.peer.UID != os.Geteuid() }

// keeps says what would be lost if the kernel ended; empty if nothing.
func (s *Server) keeps() string {
	var list []string
	for _, kind := range s.kinds() {
		if n := kind.count(); n > 0 {
			list = append(list, fmt.Sprintf("%d %s", n, kind.name))
		}
	}
	return strings.Join(list, ", ")
}

// kind is a sort of what a kernel keeps.
type kind struct {
	name  string
	count func() int
}

func (s *Server) kinds() []kind {
	return []kind{{"sockets", s.sockets.Len}, {"values", s.values.Len}, {"processes", s.processes.Count}}
}

// status tells what the kernel is, as KEY=VALUE words, one to a line. The counts are of all users.
func status(_ context.Context, c *call) error {
	if err := c.wants(0, 0); err != nil {
		return err
	}
	s := c.conn.server
	s.mu.Lock()
	conns := len(s.conns)
	s.mu.Unlock()
	tell := func(key, value string) { c.say(key + "=" + value) }
	tell("protocol", strconv.Itoa(kernel.ProtocolVersion))
	tell("pid", strconv.Itoa(os.Getpid()))
	tell("uid", strconv.Itoa(os.Geteuid()))
	tell("started", strconv.FormatInt(s.started.Unix(), 10))
	tell("uptime", time.Since(s.started).Round(time.Second).String())
	tell("socket", s.listener.Addr().String())
	if c.conn.guest() {
		return nil // how much others keep is not theirs to know
	}
	tell("state", s.options.State)
	tell("connections", strconv.Itoa(conns))
	for _, kind := range s.kinds() {
		tell(kind.name, strconv.Itoa(kind.count()))
	}
	for _, f := range s.facts {
		tell(f.key, f.value())
	}
	return nil
}

// A fact is a line of the status that another part of the kernel adds.
type fact struct {
	key   string
	value func() string
}

func help(_ context.Context, c *call) error {
	if len(c.args) == 0 {
		c.printf("Commands; each word can be abbreviated, and \"help COMMAND\" tells more:\n")
		for _, first := range slices.Sorted(maps.Keys(table)) {
			for _, second := range slices.Sorted(maps.Keys(table[first])) {
				c.printf("  %s\n", table[first][second].usage())
			}
		}
		c.printf("Names have A-Z a-z 0-9 . _ : - in them; NAME* means all with that beginning. Words with blanks\n" +
			"go in double quotes, with \\n \\t \\\" \\\\ \\xNN, or in single quotes; {N} at the end of a line stands\n" +
			"for the N bytes after it.\n")
		return nil
	}
	cmd, rest, err := find(c.args)
	if err != nil {
		if seconds, ok := table[c.args[0]]; ok && len(c.args) == 1 {
			for _, second := range slices.Sorted(maps.Keys(seconds)) {
				c.printf("  %s\n", seconds[second].usage())
			}
			return nil
		}
		return err
	}
	if len(rest) > 0 {
		return kernel.Errorf(kernel.Usage, "%q has no further word %s", cmd.words, line.Quote(shorten(rest[0])))
	}
	c.printf("%s\n\n%s\n", strings.TrimSpace(cmd.words+" "+cmd.args), cmd.help)
	return nil
}

// usage is an error of somebody's command as the protocol says it.
func usage(err error) *kernel.Error {
	text := line.Visible(err.Error())
	return kernel.Errorf(kernel.Usage, "%s%s", strings.ToUpper(text[:1]), text[1:])
}
