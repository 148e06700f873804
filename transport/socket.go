package transport

import (
	"fmt"
	"path"
	"strings"

	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// maxSocket is the longest path of a unix socket, in bytes (sun_path of Linux without its NUL).
const maxSocket = 107

// Socket has a server start the worker that listens on a unix socket of the machine: [Chain]{SSH{…}, Socket{…}} is one of
// another machine. "deliveryboy serve" is such a server, and delivery.Serve makes one of any program. The worker is the
// server's child and user, and has the streams of this hop themselves: nothing is slower for it.
//
// With Address instead of Path the server is reached over TCP, always with TLS 1.3 and certificates on both sides; see
// [TLS]. Then bytes are copied on the way, and open files do not pass. A program that has such hops imports
// transport/mtls.
//
// What starts the connection is this same program, "program __connect …", which has to be where the hop runs. It must
// be the last hop: a server starts its own program and nothing else, so that a hop behind it, Deploy and Program have no
// meaning there.
type Socket struct {
	// Path is the absolute path of a unix socket. Either it or Address is required.
	Path string
	// User is whose server may be there, a name or "#uid", besides root's and one of the user who connects. To others
	// nothing is sent. Only with Path.
	User string
	// Address is a server on TCP, "host:port", an IPv6 address in brackets. It needs TLS.
	Address string
	// TLS is who both sides are. Only with Address.
	TLS TLS
}

// Command returns the argv of the connector, which is in the program of argv. Of argv, only functions that a worker is narrowed
// to travel further; what is not the argv of a worker is refused.
func (s Socket) Command(argv []string) ([]string, error) {
	if err := checkAll(s.check(), s.checkWhole(), checkArgv(argv)); err != nil {
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
	if s.Address != "" {
		return handover.FarArgv(argv[0], s.far(), names), nil
	}
	return handover.Argv(argv[0], s.Path, s.User, names), nil
}

// String is the spec form, such as "socket=/run/app.sock//user=app".
func (s Socket) String() string {
	t := segments{}
	if s.Address != "" {
		t.add("socket", s.Address)
	} else {
		t.add("socket", s.Path)
	}
	t.text("user", s.User)
	t.text("cert", s.TLS.Cert)
	t.text("key", s.TLS.Key)
	t.text("ca", s.TLS.CA)
	t.text("crl", s.TLS.CRL)
	t.text("pin", s.TLS.Pin)
	t.text("server_name", s.TLS.Name)
	return t.join()
}

func (s Socket) check() error {
	if s.User != "" {
		if err := checkNameOrID("socket user", s.User); err != nil {
			return err
		}
	}
	if s.Address != "" {
		return s.checkFar()
	}
	switch {
	case s.TLS != TLS{}:
		return invalid("socket", s.Path, "is on this machine, where the system says who is who; TLS is for host:port")
	case s.Path == "" || s.Path[0] != '/':
		return invalid("socket", s.Path, "is neither an absolute path nor host:port")
	case len(s.Path) > maxSocket:
		return invalid("socket", s.Path, fmt.Sprintf("has %d bytes; the path of a socket may have %d", len(s.Path), maxSocket))
	case path.Clean(s.Path) != s.Path || s.Path == "/":
		return invalid("socket", s.Path, "is not a clean path of a file")
	}
	return checkText("socket", s.Path)
}

// The worker is another process's child, but ends with the hop, and has its streams, unless they cross a network.
func (s Socket) facts() facts { return facts{here: s.Address == "", away: true, codes: true} }

var socketKind = kind{
	name:  "socket",
	begin: beginSocket,
	options: []option{
		textOption("user", func(s *Socket) *string { return &s.User }),
		textOption("cert", func(s *Socket) *string { return &s.TLS.Cert }),
		textOption("key", func(s *Socket) *string { return &s.TLS.Key }),
		textOption("ca", func(s *Socket) *string { return &s.TLS.CA }),
		textOption("crl", func(s *Socket) *string { return &s.TLS.CRL }),
		textOption("pin", func(s *Socket) *string { return &s.TLS.Pin }),
		textOption("server_name", func(s *Socket) *string { return &s.TLS.Name }),
	},
}

func beginSocket(v string) (Transport, error) {
	if strings.HasPrefix(v, "/") || !strings.Contains(v, ":") {
		return Socket{Path: v}, nil
	}
	return Socket{Address: v}, nil
}
