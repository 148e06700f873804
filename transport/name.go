package transport

import (
	"fmt"
	"strconv"
	"strings"
)

// maxName is the longest user or group name, in bytes (LOGIN_NAME_MAX without its NUL).
const maxName = 255

// maxID is the largest user or group id. The next one, 4294967295, is -1 to the kernel: "leave the id as it is", which
// once let "sudo -u#-1" run as root.
const maxID uint64 = 4294967294

// checkName checks a user or group name: [A-Za-z0-9_.][A-Za-z0-9_.-]*, with a "$" allowed at the end (machine
// accounts).
func checkName(what, name string) error {
	switch {
	case name == "":
		return invalid(what, name, "is empty")
	case len(name) > maxName:
		return invalid(what, name, fmt.Sprintf("has %d bytes; at most %d are allowed", len(name), maxName))
	case name[0] == '-':
		return invalid(what, name, "must not begin with '-', it would be read as an option")
	}
	body := name
	if len(name) > 1 {
		body = strings.TrimSuffix(name, "$")
	}
	for i := range len(body) {
		if c := body[i]; !nameByte(c) && c != '.' {
			return invalid(what, name, fmt.Sprintf("byte %s is not allowed; use letters, digits, '_', '.', '-'", shownByte(c)))
		}
	}
	return nil
}

// nameByte reports whether c may stand in a user name or in a host label.
func nameByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '_' || c == '-'
}

// checkNameOrID also takes "#id" with id from 0 to 4294967294.
func checkNameOrID(what, name string) error {
	id, isID := strings.CutPrefix(name, "#")
	if !isID {
		return checkName(what, name)
	}
	n, err := strconv.ParseUint(id, 10, 64)
	if err != nil || n > maxID || id[0] == '+' {
		return invalid(what, name, fmt.Sprintf("is not a valid id; write '#' and a number from 0 to %d", maxID))
	}
	return nil
}

// checkPort checks a port number; 0 is only valid where it means "the default".
func checkPort(what string, port int) error {
	if port < 1 || port > 65535 {
		return invalid(what, strconv.Itoa(port), "is out of range; ports go from 1 to 65535")
	}
	return nil
}

// parsePort reads a decimal port without sign or leading zeros.
func parsePort(what, text string) (int, error) {
	port, err := strconv.Atoi(text)
	if err != nil || strconv.Itoa(port) != text {
		return 0, invalid(what, text, "is not a port number; ports go from 1 to 65535")
	}
	return port, checkPort(what, port)
}

// checkAbsolute checks a path that is handed to a program: absolute, no control bytes.
func checkAbsolute(what, path string) error {
	if !strings.HasPrefix(path, "/") {
		return invalid(what, path, "is not an absolute path; begin it with '/'")
	}
	return checkText(what, path)
}

// checkText refuses control bytes: they have no business in a path or option, and forge lines in logs.
func checkText(what, text string) error {
	for i := range len(text) {
		if c := text[i]; c < ' ' || c == 0x7f {
			return invalid(what, text, fmt.Sprintf("contains the control byte %#02x", c))
		}
	}
	return nil
}

// checkNameOr is checkName for a field that may be empty.
func checkNameOr(what, name string) error {
	if name == "" {
		return nil
	}
	return checkName(what, name)
}
