package kernel

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// A SocketSpec says what a socket is to be. The zero SocketSpec is a TCP socket on 127.0.0.1 with a port that the system
// chooses.
type SocketSpec struct {
	Family string // "inet", "inet6" or "unix"; empty: "inet", or "unix" with a Path

	// Type is "stream", "dgram" or, for unix sockets, "seqpacket", or, for the others, "raw"; empty: "stream". A raw socket
	// needs a kernel that has CAP_NET_RAW, and at root's kernel it is for root alone.
	Type string

	// Protocol is the number of that of a raw socket: 1 is ICMP. Others have none.
	Protocol int

	// Backlog is how many connections may wait to be accepted, also while nobody is there who accepts; what the system
	// allows at most is less, perhaps (net.core.somaxconn). 0: 5, which is little for a busy server. A dgram has none.
	Backlog int

	Host string // an IP address, or "localhost"; empty: localhost's, with Interface that of all hosts
	Port int    // 0: the system chooses, once

	// Path is where a unix socket is, absolute. A socket there that nobody listens on is replaced, anything else is an error.
	Path  string
	Umask string // octal: the bits that the mode 0777 of a unix socket has not; empty: "077"

	Interface string // a network device that all traffic has to pass; Linux only

	// Reuseport gives each process a socket of its own (SO_REUSEPORT), among which the system shares connections out. The
	// kernel keeps the port, and accepts nothing there.
	Reuseport bool
}

// SocketKeys are the options of "make socket".
var SocketKeys = []string{"family", "type", "backlog", "host", "port", "path", "umask", "interface", "reuseport", "protocol"}

// Limits of a SocketSpec.
const (
	defaultBacklog = 5
	maxBacklog     = 1 << 16
	maxPath        = 107 // bytes of the path of a unix socket
	maxInterface   = 15
	defaultUmask   = "077"
)

// Words are the spec as options of "make socket", of which those are left out that are at their zero value.
func (s SocketSpec) Words() []string {
	var list []string
	add := func(key, value string) {
		if value != "" && value != "0" {
			list = append(list, key+"="+value)
		}
	}
	add("family", s.Family)
	add("type", s.Type)
	add("protocol", strconv.Itoa(s.Protocol))
	add("backlog", strconv.Itoa(s.Backlog))
	add("host", s.Host)
	add("port", strconv.Itoa(s.Port))
	add("path", s.Path)
	if s.Umask != "" {
		list = append(list, "umask="+s.Umask)
	}
	add("interface", s.Interface)
	if s.Reuseport {
		list = append(list, "reuseport=yes")
	}
	return list
}

func (s SocketSpec) String() string { return line.Join(s.Words()...) }

// ParseSocketSpec reads options of "make socket".
func ParseSocketSpec(options map[string]string) (SocketSpec, error) {
	s := SocketSpec{
		Family: options["family"], Type: options["type"], Host: options["host"], Path: options["path"],
		Umask: options["umask"], Interface: options["interface"],
	}
	for key, to := range map[string]*int{"backlog": &s.Backlog, "port": &s.Port, "protocol": &s.Protocol} {
		text, given := options[key]
		if !given {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil {
			return s, fmt.Errorf("%s %s: a whole number is needed", key, line.Quote(text))
		}
		*to = n
	}
	if text, given := options["reuseport"]; given {
		yes, err := ParseBool(text)
		if err != nil {
			return s, fmt.Errorf("reuseport %w", err)
		}
		s.Reuseport = yes
	}
	return s, nil
}

// ParseBool reads yes or no as the protocol has it: 1, yes, true, on; 0, no, false, off.
func ParseBool(text string) (bool, error) {
	switch strings.ToLower(text) {
	case "1", "yes", "true", "on", "y":
		return true, nil
	case "0", "no", "false", "off", "n":
		return false, nil
	}
	return false, fmt.Errorf("%s: it must be yes or no", line.Quote(text))
}

// Complete refuses what cannot be and fills in what is not given.
func (s *SocketSpec) Complete() error {
	if s.Family == "" {
		s.Family = "inet"
		if s.Path != "" {
			s.Family = "unix"
		}
	}
	if s.Type == "" {
		s.Type = "stream"
	}
	connects := s.Type != "dgram" && s.Type != "raw"
	switch {
	case s.Type == "rdm":
		return errors.New("type rdm: no family of sockets here has it, only TIPC does; use seqpacket, or dgram")
	case s.Type == "raw":
		if err := s.checkRaw(); err != nil {
			return err
		}
	case s.Protocol != 0:
		return fmt.Errorf("protocol %d: it is for raw sockets", s.Protocol)
	case s.Type != "stream" && s.Type != "dgram" && (s.Type != "seqpacket" || s.Family != "unix"):
		return fmt.Errorf("type %s: it must be stream or dgram, for unix sockets also seqpacket, for others raw", line.Quote(s.Type))
	}
	switch {
	case s.Backlog < 0 || s.Backlog > maxBacklog:
		return fmt.Errorf("backlog %d: it must be between 0 and %d", s.Backlog, maxBacklog)
	case !connects && s.Backlog != 0:
		return fmt.Errorf("backlog: a %s socket has none", s.Type)
	}
	if s.Backlog == 0 && connects {
		s.Backlog = defaultBacklog
	}
	switch s.Family {
	case "unix":
		return s.completeUnix()
	case "inet", "inet6":
		return s.completeInet()
	}
	return fmt.Errorf("family %s: it must be inet, inet6 or unix", line.Quote(s.Family))
}

func (s *SocketSpec) checkRaw() error {
	switch {
	case s.Family == "unix":
		return errors.New("type raw: unix sockets have none")
	case s.Port != 0 || s.Reuseport:
		return errors.New("port and reuseport are not for raw sockets")
	case s.Protocol < 1 || s.Protocol > 255:
		return fmt.Errorf("protocol %d: a raw socket needs the number of one, from 1 to 255; 1 is ICMP", s.Protocol)
	}
	return nil
}

func (s *SocketSpec) completeUnix() error {
	switch {
	case s.Host != "" || s.Port != 0 || s.Interface != "" || s.Reuseport:
		return errors.New("host, port, interface and reuseport are not for unix sockets")
	case !filepath.IsAbs(s.Path) || strings.HasSuffix(s.Path, "/"):
		return fmt.Errorf("path %s: it must be absolute and not end with a slash", line.Quote(s.Path))
	case filepath.Clean(s.Path) != s.Path || strings.IndexByte(s.Path, 0) >= 0:
		return fmt.Errorf("path %s: it must be without . and .. and double slashes", line.Quote(s.Path))
	case len(s.Path) > maxPath:
		return fmt.Errorf("path %s: it has %d bytes; there may be %d", line.Quote(s.Path), len(s.Path), maxPath)
	}
	if s.Umask == "" {
		s.Umask = defaultUmask
	}
	n, err := strconv.ParseUint(s.Umask, 8, 32)
	if err != nil || n > 0o777 {
		return fmt.Errorf("umask %s: it must be octal and at most 777", line.Quote(s.Umask))
	}
	s.Umask = fmt.Sprintf("%03o", n)
	return nil
}

func (s *SocketSpec) completeInet() error {
	switch {
	case s.Path != "" || s.Umask != "":
		return errors.New("path and umask are for unix sockets; family=unix or nothing goes with them")
	case s.Port < 0 || s.Port > 65535:
		return fmt.Errorf("port %d: it must be between 0 and 65535", s.Port)
	case len(s.Interface) > maxInterface || strings.ContainsAny(s.Interface, "/ \t\n\x00"):
		return fmt.Errorf("interface %s: it is no name of a network device", line.Quote(s.Interface))
	}
	six := s.Family == "inet6"
	switch {
	case s.Host == "" && s.Interface != "" && six:
		s.Host = "::"
	case s.Host == "" && s.Interface != "":
		s.Host = "0.0.0.0"
	case (s.Host == "" || s.Host == "localhost") && six:
		s.Host = "::1"
	case s.Host == "" || s.Host == "localhost":
		s.Host = "127.0.0.1"
	}
	a, err := netip.ParseAddr(s.Host)
	if err != nil || a.Is4() == six {
		return fmt.Errorf("host %s: it must be an address of family %s, in numbers", line.Quote(s.Host), s.Family)
	}
	s.Host = a.String()
	return nil
}
