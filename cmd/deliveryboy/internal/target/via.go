package target

import (
	"fmt"
	"strings"

	"github.com/seed354a1416/deliveryboy/transport"
)

// Via begins a spec whose way goes through a session to another target: "via=gate//ssh=db1" is ssh to db1 from gate.
const Via = "via="

const (
	// self is what is behind the last target on the way if there is nothing else: another copy of the program there.
	self = "self"
	// maxStops is how many targets may be on a way: each is a session.
	maxStops = 8
)

// CutVia takes the target on the way off a spec, and returns what is behind it.
func CutVia(spec string) (through, behind string, found bool) {
	first, behind, more := strings.Cut(spec, "//")
	through, found = strings.CutPrefix(first, Via)
	if !found {
		return "", spec, false
	}
	if !more {
		behind = self
	}
	return through, behind, true
}

// CheckSpec says what is wrong with a spec, but for the target on its way.
func CheckSpec(spec string) error {
	through, behind, found := CutVia(spec)
	if found && !name.MatchString(through) {
		return fmt.Errorf("%s%.80s: it is no name of a target; write 1 to 64 small letters, digits, dots, dashes and underscores", Via, through)
	}
	if found && strings.HasPrefix(behind, Via) {
		return fmt.Errorf("%s stands twice; give the target %q itself a %s", Via, through, Via)
	}
	_, err := transport.Parse(behind)
	return err
}

// through says why a target cannot be reached through those on its way: one is not there, or it is on its own way.
func (t Targets) through(name string) string {
	seen := map[string]bool{}
	for at := name; ; {
		seen[at] = true
		next, _, found := CutVia(t[at])
		switch _, known := t[next]; {
		case !found:
			return ""
		case !known:
			return fmt.Sprintf("target %q: it goes through the target %q, which is not there", at, next)
		case seen[next]:
			return fmt.Sprintf("target %q: it goes through the target %q, which goes through %q: a circle", at, next, at)
		case len(seen) > maxStops:
			return fmt.Sprintf("target %q: more than %d targets are on its way", name, maxStops)
		}
		at = next
	}
}
