package transport

import (
	"net/netip"
	"strings"
	"testing"
)

func TestCheckHostAccepts(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"web1", "web1.example.org", "a.b.", "a_b", "A-b-", "1a", "xn--80ak6aa92e.com", "127.0.0.1", "127.0.0.1.", "10.1",
		"::1", "fe80::1%eth0", "2001:db8::1%br-0.1", "::ffff:1.2.3.4", strings.Repeat("a", 63) + ".b",
		strings.Repeat("abcdefghi.", 25) + "abc",
	} {
		if err := CheckHost(host); err != nil {
			t.Errorf("%q: %v", host, err)
		}
	}
}

func TestCheckHostRefuses(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("abcdefghi.", 25) + "abcd"
	for host, want := range map[string]string{
		"":                  `host "": is empty; name a host`,
		"-oProxyCommand=id": `host "-oProxyCommand=id": must not begin with '-', it would be read as an option`,
		"a;b":               `host "a;b": byte ';' is not allowed; use letters, digits, '.', '-', '_'`,
		"x`id`":             "host \"x`id`\": byte '`' is not allowed; use letters, digits, '.', '-', '_'",
		"$(id)":             `host "$(id)": byte '$' is not allowed; use letters, digits, '.', '-', '_'`,
		"a b":               `host "a b": byte ' ' is not allowed; use letters, digits, '.', '-', '_'`,
		"a\nb":              `host "a\nb": byte '\n' is not allowed; use letters, digits, '.', '-', '_'`,
		"a\x00b":            `host "a\x00b": byte '\x00' is not allowed; use letters, digits, '.', '-', '_'`,
		"host/../../x":      `host "host/../../x": byte '/' is not allowed; use letters, digits, '.', '-', '_'`,
		"%h":                `host "%h": byte '%' is not allowed; use letters, digits, '.', '-', '_'`,
		"u@h":               `host "u@h": byte '@' is not allowed; use letters, digits, '.', '-', '_'`,
		long:                `host "` + long[:80] + `"…: has 254 bytes; at most 253 are allowed`,
		strings.Repeat("a", 64): `host "` + strings.Repeat("a", 64) +
			`": has a part of 64 bytes; at most 63 are allowed between dots`,
		"a..b":         `host "a..b": has an empty part between dots`,
		".":            `host ".": has an empty part between dots`,
		".a":           `host ".a": has an empty part between dots`,
		"a.-b":         `host "a.-b": has a part that begins with '-'`,
		"300.1.1.1":    `host "300.1.1.1": is not an IPv4 address; four numbers from 0 to 255 without leading zeros`,
		"010.0.0.1":    `host "010.0.0.1": is not an IPv4 address; four numbers from 0 to 255 without leading zeros`,
		"::1%eth0;id":  `host "::1%eth0;id": byte ';' is not allowed in the zone after '%'`,
		"::1%":         `host "::1%": the zone after '%' must be an interface name of 1 to 15 bytes`,
		"::1%-eth0":    `host "::1%-eth0": the zone after '%' must be an interface name of 1 to 15 bytes`,
		"a:b":          `host "a:b": is not an IPv6 address, and a host name has no ':'`,
		"1.2.3.4:22":   `host "1.2.3.4:22": is not an IPv6 address, and a host name has no ':'`,
		"[::1]":        `host "[::1]": has brackets; they belong into the spec form only, write the address without them`,
		"аpple.com":    `host "аpple.com": is not ASCII, and similar letters can hide another name; if you mean it, write "xn--pple-43d.com"`,
		"bücher.de":    `host "bücher.de": is not ASCII, and similar letters can hide another name; if you mean it, write "xn--bcher-kva.de"`,
		"日本語.jp":       `host "日本語.jp": is not ASCII, and similar letters can hide another name; if you mean it, write "xn--wgv71a119e.jp"`,
		"a\xff":        `host "a\xff": is not ASCII; write the punycode form of the name (xn--…)`,
		"é;id":         `host "é;id": is not ASCII; write the punycode form of the name (xn--…)`,
		"\u202eevil":   `host "\u202eevil": is not ASCII, and similar letters can hide another name; if you mean it, write "xn--evil-ud7a"`,
		"::1\u202e%e":  `host "::1\u202e%e": is not an IPv6 address, and a host name has no ':'`,
		"fe80::1::2":   `host "fe80::1::2": is not an IPv6 address, and a host name has no ':'`,
		"1.2.3.4%eth0": `host "1.2.3.4%eth0": byte '%' is not allowed; use letters, digits, '.', '-', '_'`,
	} {
		err := CheckHost(host)
		if err == nil || err.Error() != "transport: "+want {
			t.Errorf("%q:\n got %v\nwant transport: %s", host, err, want)
		}
	}
}

func TestParseAddress(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]address{
		"web1":             {"", "web1", 0},
		"deploy@web1":      {"deploy", "web1", 0},
		"web1:2222":        {"", "web1", 2222},
		"deploy@web1:22":   {"deploy", "web1", 22},
		"[::1]":            {"", "::1", 0},
		"[::1]:22":         {"", "::1", 22},
		"u$@[fe80::1%e]:1": {"u$", "fe80::1%e", 1},
	} {
		got, err := parseAddress(text)
		if err != nil || got != want {
			t.Errorf("%q: got %+v, %v, want %+v", text, got, err, want)
		}
		if got.String() != text {
			t.Errorf("%q is written as %q", text, got)
		}
	}
	for text, want := range map[string]string{
		"user@-host":   `host "-host": must not begin with '-', it would be read as an option`,
		"-l@host":      `user "-l": must not begin with '-', it would be read as an option`,
		"@host":        `user "": is empty`,
		"a@b@c":        `host "b@c": byte '@' is not allowed; use letters, digits, '.', '-', '_'`,
		"u;x@host":     `user "u;x": byte ';' is not allowed; use letters, digits, '_', '.', '-'`,
		"[::1":         `host "[::1": '[' is not closed; write an IPv6 address as [::1]`,
		"[::1]x":       `host "[::1]x": only ':' and a port may follow ']'`,
		"[web1]:22":    `host "[web1]:22": only an IPv6 address stands in brackets`,
		"::1":          `host "::1": has more than one ':'; write an IPv6 address in brackets: [::1]:22`,
		"host:":        `port "": is empty; leave the ':' out or give a number from 1 to 65535`,
		"host:0":       `port "0": is out of range; ports go from 1 to 65535`,
		"host:99999":   `port "99999": is out of range; ports go from 1 to 65535`,
		"host:022":     `port "022": is not a port number; ports go from 1 to 65535`,
		"host:-1":      `port "-1": is out of range; ports go from 1 to 65535`,
		"host:ssh":     `port "ssh": is not a port number; ports go from 1 to 65535`,
		"host:22;id":   `port "22;id": is not a port number; ports go from 1 to 65535`,
		"-p 5000 host": `host "-p 5000 host": options cannot stand before the host; write ssh=HOST:PORT for -p, and ssh_config=, identity= or option= for the others`,
		"-p 1 u@host":  `host "-p 1 u@host": options cannot stand before the host; write ssh=HOST:PORT for -p, and ssh_config=, identity= or option= for the others`,
	} {
		if _, err := parseAddress(text); err == nil || err.Error() != "transport: "+want {
			t.Errorf("%q:\n got %v\nwant transport: %s", text, err, want)
		}
	}
}

func TestCheckNameOrID(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"root", "www-data", "_apt", "svc$", "a.b", "1000", "#0", "#1000", "#4294967294"} {
		if err := checkNameOrID("user", name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for name, want := range map[string]string{
		"":                       "is empty",
		"-u":                     "must not begin with '-', it would be read as an option",
		"#-1":                    "is not a valid id; write '#' and a number from 0 to 4294967294",
		"#4294967295":            "is not a valid id; write '#' and a number from 0 to 4294967294",
		"#18446744073709551616":  "is not a valid id; write '#' and a number from 0 to 4294967294",
		"#+1":                    "is not a valid id; write '#' and a number from 0 to 4294967294",
		"#":                      "is not a valid id; write '#' and a number from 0 to 4294967294",
		"#0x10":                  "is not a valid id; write '#' and a number from 0 to 4294967294",
		"a b":                    "byte ' ' is not allowed; use letters, digits, '_', '.', '-'",
		"a$b":                    "byte '$' is not allowed; use letters, digits, '_', '.', '-'",
		"$":                      "byte '$' is not allowed; use letters, digits, '_', '.', '-'",
		"a\n":                    `byte '\n' is not allowed; use letters, digits, '_', '.', '-'`,
		"ALL,root":               "byte ',' is not allowed; use letters, digits, '_', '.', '-'",
		strings.Repeat("x", 256): "has 256 bytes; at most 255 are allowed",
	} {
		err := checkNameOrID("user", name)
		if err == nil || !strings.HasSuffix(err.Error(), ": "+want) {
			t.Errorf("%q: got %v, want %s", name, err, want)
		}
	}
}

func FuzzHost(f *testing.F) {
	for _, host := range []string{"web1", "u@h:22", "[::1]:22", "fe80::1%eth0", "-oProxyCommand=id", "bücher.de", "a..b", "1.2.3.4"} {
		f.Add(host)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if a, err := parseAddress(text); err == nil {
			again, err := parseAddress(a.String())
			if err != nil || again != a {
				t.Fatalf("%q: %+v is written as %q and reads back as %+v, %v", text, a, a, again, err)
			}
		}
		if CheckHost(text) != nil {
			return
		}
		if text[0] == '-' || strings.ContainsAny(text, " \t\r\n\x00'\"`$\\;&<>|(){}/@,=") || len(text) > 253 || !isASCII(text) {
			t.Fatalf("accepted %q", text)
		}
		if strings.Contains(text, ":") {
			if _, err := netip.ParseAddr(text); err != nil {
				t.Fatalf("accepted %q: %v", text, err)
			}
		}
	})
}

// TestPunycode uses samples of RFC 3492, section 7.1.
func TestPunycode(t *testing.T) {
	t.Parallel()
	for label, want := range map[string]string{
		"他们为什么不说中文":                    "ihqwcrb4cv8a8dqg056pqjye",
		"почемужеонинеговорятпорусски": "b1abfaaepdrnnbgefbadotcwatmq2g4l",
		"bücher": "bcher-kva",
	} {
		if got := punycode([]rune(label)); got != want {
			t.Errorf("%s: got %s, want %s", label, got, want)
		}
	}
}
