package transport

import (
	"fmt"
	"path"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// maxSocket is the longest path of a unix socket, in bytes (sun_path of Linux without its NUL).
const maxSocket = 107

// Socket has a server start the worker that listens on a unix socket of the machine: [Chain]{SSH{…}, Socket{…}} is one of
// another machine. "deliveryboy serve" is such a server, and delivery.Serve makes one of any program. The worker is the
// server's child and user, and has the streams of this hop themselves: nothing is slower for it.
//
// There is no form for TCP: whoever could connect could call. ssh before the socket brings the authentication.
//
// What starts the connection is this same program, "program __connect PATH", which has to be where the hop runs. It must
// be the last hop: a server starts its own program and nothing else, so that a hop behind it, Deploy and Program have no
// meaning there.
type Socket struct {
	// Path is the absolute path of the socket. Required.
	Path string
	// User is whose server may be there, a name or "#uid", besides root's and one of the user who connects. To others
	// nothing is sent.
	User string
}

// Command returns the argv of the connector, which is in the program of argv. Of argv, only functions that a worker is narrowed
// to travel further; what is not the argv of a worker is refused.
func (s Socket) Command(argv []string) ([]string, error) {
	if err := checkAll(s.check(), checkArgv(argv)); err != nil {
		return nil, err
	}
	if len(argv) < 2 || len(argv) > 3 || argv[1] != handover.WorkerVerb {
		return nil, invalid("argv[0]", argv[0], "is not run by a server on a socket, which starts workers of its own program only; "+
			"put the socket last, and leave Deploy out")
	}
	names := ""
	if len(argv) == 3 {
		names = argv[2]
	}
	if argv[0][0] != '/' {
		return nil, invalid("argv[0]", argv[0], "is not an absolute path, which the connector needs")
	}
	return handover.Argv(argv[0], s.Path, s.User, names), nil
}

// String is the spec form, such as "socket=/run/app.sock//user=app".
func (s Socket) String() string {
	t := segments{}
	t.add("socket", s.Path)
	t.text("user", s.User)
	return t.join()
}

func (s Socket) check() error {
	if s.User != "" {
		if err := checkNameOrID("socket user", s.User); err != nil {
			return err
		}
	}
	switch {
	case s.Path == "" || s.Path[0] != '/':
		return invalid("socket", s.Path, "is not an absolute path; a server on TCP is not offered, it would have no "+
			"authentication: use ssh=HOST//socket=PATH")
	case len(s.Path) > maxSocket:
		return invalid("socket", s.Path, fmt.Sprintf("has %d bytes; the path of a socket may have %d", len(s.Path), maxSocket))
	case path.Clean(s.Path) != s.Path || s.Path == "/":
		return invalid("socket", s.Path, "is not a clean path of a file")
	}
	return checkText("socket", s.Path)
}

// The worker is another process's child, but ends with the hop, and has its streams.
func (s Socket) facts() facts { return facts{here: true, away: true, codes: true} }

var socketKind = kind{
	name:    "socket",
	begin:   func(v string) (Transport, error) { return Socket{Path: v}, nil },
	options: []option{textOption("user", func(s *Socket) *string { return &s.User })},
}
