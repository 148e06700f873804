package transport

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// checkWord checks the name of a thing behind another tool: letters, digits and the bytes of extra, beginning with a letter
// or a digit, so that it can be no option, path or quotation.
func checkWord(what, word, extra string, most int) error {
	switch {
	case word == "":
		return invalid(what, word, "is empty")
	case len(word) > most:
		return invalid(what, word, fmt.Sprintf("has %d bytes; at most %d are allowed", len(word), most))
	case word[0] == '-':
		return invalid(what, word, "must not begin with '-', it would be read as an option")
	case !alphanumeric(word[0]):
		return invalid(what, word, "must begin with a letter or a digit")
	}
	for i := range len(word) {
		if c := word[i]; !alphanumeric(c) && strings.IndexByte(extra, c) < 0 {
			return invalid(what, word, fmt.Sprintf("byte %s at %d is not allowed; use letters, digits%s", shownByte(c), i,
				listBytes(extra)))
		}
	}
	return nil
}

// checkWordOr is checkWord for a field that may be empty.
func checkWordOr(what, word, extra string, most int) error {
	if word == "" {
		return nil
	}
	return checkWord(what, word, extra, most)
}

func alphanumeric(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// listBytes writes ", 'x', 'y'".
func listBytes(extra string) string {
	var b strings.Builder
	for i := range len(extra) {
		fmt.Fprintf(&b, ", '%c'", extra[i])
	}
	return b.String()
}

// The bytes besides letters and digits that names may have, and how long these may be.
const (
	containerBytes = "_.-"
	contextBytes   = "_.+-"   // of contexts of docker, and connections of podman
	clusterBytes   = "_./:@-" // of contexts of kubectl, which may be named after a cluster's address
	maxWord        = 253
)

// checkLabel checks a name of Kubernetes: lower case, ending with a letter or a digit.
func checkLabel(what, name, extra string, most int) error {
	if err := checkWord(what, name, extra, most); err != nil {
		return err
	}
	if lower := strings.ToLower(name); lower != name {
		return invalid(what, name, fmt.Sprintf("has capital letters; write %q", lower))
	}
	if !alphanumeric(name[len(name)-1]) {
		return invalid(what, name, "must end with a letter or a digit")
	}
	return nil
}

// checkUserGroup checks "user" or "user:group", names or numbers.
func checkUserGroup(what, text string) error {
	user, group, both := strings.Cut(text, ":")
	if err := checkUser(what+" user", user); err != nil {
		return err
	}
	if both {
		return checkUser(what+" group", group)
	}
	return nil
}

// checkUser checks a user or group: a name, a number or "#number".
func checkUser(what, name string) error {
	if err := checkNameOrID(what, name); err != nil {
		return err
	}
	if strings.Trim(name, "0123456789") == "" {
		return checkNameOrID(what, "#"+name) // digits alone are a number to most tools
	}
	return nil
}

// checkUserOr is checkUser for a field that may be empty.
func checkUserOr(what, name string) error {
	if name == "" {
		return nil
	}
	return checkUser(what, name)
}

// number takes the "#" off an id, for tools that tell ids from names by their digits.
func number(name string) string { return strings.TrimPrefix(name, "#") }

// appendSet appends each option that has a value, as "--option=value".
func appendSet(argv []string, options ...[2]string) []string {
	for _, o := range options {
		if o[1] != "" {
			argv = append(argv, o[0]+"="+o[1])
		}
	}
	return argv
}

// prefixed returns prefix and argv, once both are in order.
func prefixed(check error, argv []string, prefix ...string) ([]string, error) {
	if check != nil {
		return nil, check
	}
	if err := checkArgv(argv); err != nil {
		return nil, err
	}
	out := make([]string, 0, len(prefix)+len(argv))
	return append(append(out, prefix...), argv...), nil
}

// checkAll returns the first error.
func checkAll(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// checkUTF8 refuses words that a tool would change, because they travel as JSON, over D-Bus, or as text of another kind.
func checkUTF8(tool string, argv []string) error {
	for i, word := range argv {
		if !utf8.ValidString(word) {
			return invalid(fmt.Sprintf("argv[%d]", i), word, "is not UTF-8, which "+tool+" would change")
		}
	}
	return nil
}

// needsPath refuses a worker that is not given by its path, for tools that have no "--" before it.
func needsPath(tool string, argv []string) error {
	if err := checkArgv(argv); err != nil {
		return err
	}
	if argv[0][0] != '/' {
		return invalid("argv[0]", argv[0], "is not an absolute path, which "+tool+" needs")
	}
	return nil
}
