package server

import (
	"context"
	"strconv"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/socket"
)

func init() {
	register(
		&command{words: "make socket", args: "NAME [KEY=VALUE…]", run: makeSocket, help: `Make a socket that listens, and keep it.
family    inet (the default), inet6 or unix
type      stream (the default), dgram, for unix sockets seqpacket, for others raw
protocol  the number of a raw socket's protocol, such as 1 for ICMP
backlog   how many connections may wait; the default is 5
host      an address in numbers; the default is 127.0.0.1 or ::1, with interface all of them
port      0, the default, has the system choose one
path      of a unix socket, absolute; the default umask, 077, leaves it to its owner
umask     octal, for the mode of a unix socket
interface a network device that all traffic has to pass
reuseport yes: each process gets a socket of its own, with the same port
The same again is no error. Processes get a socket by $(socket.NAME.fileno) in an argument, or
by listen=NAME as services of systemd do; $(socket.NAME.port) is its port.`},
		&command{words: "list sockets", args: "[NAME…]", run: listSockets, help: "List sockets, by name, NAME*, or number of descriptor."},
		&command{words: "remove sockets", args: "NAME…", run: removeSockets, help: `Close sockets, by name, NAME*, or number of descriptor.
"*" is all. Processes that have them keep them.`},
	)
}

func makeSocket(_ context.Context, c *call) error {
	if len(c.args) == 0 {
		return kernel.Errorf(kernel.Usage, "Socket requires a name")
	}
	options, rest, err := settings(c.args[1:], kernel.SocketKeys...)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return kernel.Errorf(kernel.Usage, "%s is no option; write KEY=VALUE", line.Quote(shorten(rest[0])))
	}
	spec, err := kernel.ParseSocketSpec(options)
	if err != nil {
		return usage(err)
	}
	s, err := c.conn.server.sockets.Make(c.owner, c.args[0], spec)
	if err != nil {
		return err
	}
	c.describe(*s)
	return nil
}

// describe is a line about a socket: what it was made of, with the host and port that it has.
func (c *call) describe(s socket.Socket) {
	spec := s.Spec
	if s.Port != 0 {
		spec.Host, spec.Port = s.Host, s.Port
	}
	words := append([]string{s.Name}, spec.Words()...)
	if n := s.Fileno(); n >= 0 {
		words = append(words, "fileno="+strconv.Itoa(n))
	}
	c.say(words...)
}

func listSockets(_ context.Context, c *call) error {
	list, err := c.conn.server.sockets.List(c.owner, c.args)
	for _, s := range list {
		c.describe(s)
	}
	return err
}

func removeSockets(_ context.Context, c *call) error {
	_, err := c.conn.server.sockets.Remove(c.owner, c.args)
	return err
}
