package transport

import (
	"fmt"
	"net/netip"
	"strings"
)

const (
	maxHost  = 253 // bytes in a host name (RFC 1035)
	maxLabel = 63  // bytes between two dots
	maxZone  = 15  // bytes in an interface name (IFNAMSIZ without its NUL)
)

// CheckHost checks a host name before it may come near a command line: letters, digits, '_' and '-' in labels of at
// most 63 bytes that do not begin with '-', 253 bytes in all, a dot at the end allowed; or an IPv4 address; or an IPv6
// address without brackets, with a zone such as "fe80::1%eth0" allowed. It looks nothing up.
func CheckHost(host string) error {
	switch {
	case host == "":
		return invalid("host", host, "is empty; name a host")
	case host[0] == '-':
		return invalid("host", host, "must not begin with '-', it would be read as an option")
	case host[0] == '[':
		return invalid("host", host, "has brackets; they belong into the spec form only, write the address without them")
	case strings.IndexByte(host, ':') >= 0:
		return checkIPv6(host)
	}
	if err := checkHostBytes(host); err != nil {
		return err
	}
	if len(host) > maxHost {
		return invalid("host", host, fmt.Sprintf("has %d bytes; at most %d are allowed", len(host), maxHost))
	}
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	if err := checkLabels(host, labels); err != nil {
		return err
	}
	return checkIPv4(host, labels)
}

func checkHostBytes(host string) error {
	for i := range len(host) {
		c := host[i]
		if c >= 0x80 {
			if ascii, ok := toASCII(host); ok {
				return invalid("host", host, fmt.Sprintf("is not ASCII, and similar letters can hide another name; "+
					"if you mean it, write %q", ascii))
			}
			return invalid("host", host, "is not ASCII; write the punycode form of the name (xn--…)")
		}
		if !nameByte(c) && c != '.' {
			return invalid("host", host, fmt.Sprintf("byte %s is not allowed; use letters, digits, '.', '-', '_'", shownByte(c)))
		}
	}
	return nil
}

func checkLabels(host string, labels []string) error {
	for _, label := range labels {
		switch {
		case label == "":
			return invalid("host", host, "has an empty part between dots")
		case len(label) > maxLabel:
			return invalid("host", host, fmt.Sprintf("has a part of %d bytes; at most %d are allowed between dots",
				len(label), maxLabel))
		case label[0] == '-':
			return invalid("host", host, "has a part that begins with '-'")
		}
	}
	return nil
}

// checkIPv4 refuses four numbers that are not an address: 010.0.0.1 is 8.0.0.1 to some resolvers and 10.0.0.1 to others.
func checkIPv4(host string, labels []string) error {
	if len(labels) != 4 || strings.Trim(strings.Join(labels, ""), "0123456789") != "" {
		return nil
	}
	if _, err := netip.ParseAddr(strings.TrimSuffix(host, ".")); err != nil {
		return invalid("host", host, "is not an IPv4 address; four numbers from 0 to 255 without leading zeros")
	}
	return nil
}

func checkIPv6(host string) error {
	address, zone, zoned := strings.Cut(host, "%")
	if ip, err := netip.ParseAddr(address); err != nil || !ip.Is6() {
		return invalid("host", host, "is not an IPv6 address, and a host name has no ':'")
	}
	if !zoned {
		return nil
	}
	if zone == "" || len(zone) > maxZone || zone[0] == '-' {
		return invalid("host", host, fmt.Sprintf("the zone after '%%' must be an interface name of 1 to %d bytes", maxZone))
	}
	for i := range len(zone) {
		if c := zone[i]; !nameByte(c) && c != '.' {
			return invalid("host", host, fmt.Sprintf("byte %s is not allowed in the zone after '%%'", shownByte(c)))
		}
	}
	return nil
}

// address is [user@]host[:port] as a spec and ssh -J write it.
type address struct {
	user, host string
	port       int // 0: not given
}

// parseAddress reads [user@]host[:port]; an IPv6 address stands in brackets.
func parseAddress(text string) (address, error) {
	var a address
	if strings.HasPrefix(text, "-") && strings.ContainsAny(text, " \t") {
		return a, invalid("host", text, "options cannot stand before the host; write ssh=HOST:PORT for -p, "+
			"and ssh_config=, identity= or option= for the others")
	}
	rest := text
	if user, after, found := strings.Cut(text, "@"); found {
		if err := checkName("user", user); err != nil {
			return a, err
		}
		a.user, rest = user, after
	}
	host, port, err := splitPort(rest)
	if err != nil {
		return a, err
	}
	if port != "" {
		if a.port, err = parsePort("port", port); err != nil {
			return a, err
		}
	}
	a.host = host
	return a, CheckHost(host)
}

// splitPort splits host:port or [ipv6]:port. The port is empty when there is none.
func splitPort(text string) (host, port string, err error) {
	var rest string
	if strings.HasPrefix(text, "[") {
		end := strings.IndexByte(text, ']')
		if end < 0 {
			return "", "", invalid("host", text, "'[' is not closed; write an IPv6 address as [::1]")
		}
		host, rest = text[1:end], text[end+1:]
		if strings.IndexByte(host, ':') < 0 {
			return "", "", invalid("host", text, "only an IPv6 address stands in brackets")
		}
		if rest == "" {
			return host, "", nil
		}
		if rest[0] != ':' {
			return "", "", invalid("host", text, "only ':' and a port may follow ']'")
		}
	} else {
		i := strings.IndexByte(text, ':')
		if i < 0 {
			return text, "", nil
		}
		host, rest = text[:i], text[i:]
		if strings.Count(rest, ":") > 1 {
			return "", "", invalid("host", text, "has more than one ':'; write an IPv6 address in brackets: [::1]:22")
		}
	}
	if rest == ":" {
		return "", "", invalid("port", "", "is empty; leave the ':' out or give a number from 1 to 65535")
	}
	return host, rest[1:], nil
}

// String is the address as parseAddress reads it.
func (a address) String() string {
	text := a.host
	if strings.IndexByte(text, ':') >= 0 {
		text = "[" + text + "]"
	}
	if a.port != 0 {
		text += fmt.Sprintf(":%d", a.port)
	}
	if a.user != "" {
		text = a.user + "@" + text
	}
	return text
}
