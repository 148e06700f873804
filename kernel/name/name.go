// Package name is what the kernel's sockets, values and processes may be called, and how several are meant at once.
//
// A name has 1 to 128 of the characters A-Z a-z 0-9 . _ : - and does not begin with a dot. Names of each kind are apart: a
// socket and a value may have the same. Programs that share a kernel put their own name before: "shop.web.1".
//
// A pattern is a name, or the beginning of names and a star: "shop.*"; "*" is all of them. A star elsewhere is refused.
package name

import (
	"fmt"
	"strings"

	"github.com/seed354a1416/deliveryboy/kernel/line"
)

// Max is how many bytes a name may have.
const Max = 128

// Check says what is wrong with a name. Kind is for the error: "socket".
func Check(kind, name string) error {
	if name == "" || name == "*" {
		return fmt.Errorf("a %s requires a name", kind)
	}
	return check(kind, name, "name")
}

func check(kind, name, what string) error {
	if len(name) > Max {
		return fmt.Errorf("%s %s %.40s…: it has %d bytes; there may be %d", kind, what, line.Visible(name[:min(len(name), 40)]), len(name), Max)
	}
	if name[0] == '.' {
		return fmt.Errorf("%s %s %s: it must not begin with a dot", kind, what, line.Quote(name))
	}
	for i := range len(name) {
		if !allowed(name[i]) {
			return fmt.Errorf("%s %s %s: byte %d must be one of A-Z a-z 0-9 . _ : -", kind, what, line.Quote(name), i+1)
		}
	}
	return nil
}

func allowed(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '.' || c == '_' || c == ':' || c == '-'
}

// A Pattern stands for one name, or for all with a beginning.
type Pattern struct {
	text string
	wild bool
}

// Parse reads a pattern.
func Parse(kind, text string) (Pattern, error) {
	start, wild := strings.CutSuffix(text, "*")
	if start == "" {
		if wild {
			return Pattern{"", true}, nil
		}
		return Pattern{}, fmt.Errorf("a %s requires a name", kind)
	}
	return Pattern{start, wild}, check(kind, start, "name")
}

// Match reports whether the pattern stands for a name.
func (p Pattern) Match(name string) bool {
	if p.wild {
		return strings.HasPrefix(name, p.text)
	}
	return name == p.text
}

// Wild reports whether the pattern ends with a star.
func (p Pattern) Wild() bool { return p.wild }

// All reports whether the pattern is "*".
func (p Pattern) All() bool { return p.wild && p.text == "" }

func (p Pattern) String() string {
	if p.wild {
		return p.text + "*"
	}
	return p.text
}

// ParseAll reads patterns.
func ParseAll(kind string, texts []string) ([]Pattern, error) {
	list := make([]Pattern, 0, len(texts))
	for _, t := range texts {
		p, err := Parse(kind, t)
		if err != nil {
			return nil, err
		}
		list = append(list, p)
	}
	return list, nil
}
