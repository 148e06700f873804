package pool

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// A Rule says what somebody may have done by a server: someone of User or of Group, by name or "#" and a number. Of a group,
// its supplementary members too. Rules only allow; what none of them allows is refused.
type Rule struct {
	User, Group string // one of them

	// Functions that may be called, by name. Those that run commands cannot be among them: Commands says which.
	Functions []string

	// Commands that may be run: the program, an absolute path, and its arguments, to the letter. If the last word is [More],
	// any arguments may follow. Nobody but root and the server's user may be able to change the program, or a directory or link
	// on the way to it. They run with the environment, the directory and the user of their worker, and with those
	// alone.
	Commands [][]string
}

// More is the last word of a command that may have more arguments than a [Rule] names.
const More = "..."

// maxRules is how many rules there may be.
const maxRules = 1024

func (r *Rule) check() error {
	if (r.User == "") == (r.Group == "") {
		return errors.New("give one of User and Group")
	}
	if len(r.Functions)+len(r.Commands) == 0 {
		return errors.New("it allows nothing: give Functions or Commands")
	}
	for _, name := range r.Functions {
		switch _, ok := registry.Lookup(name); {
		case runsCommands(name):
			return fmt.Errorf("function %q: it runs any command; name those that may be run as Commands", name)
		case !ok:
			return fmt.Errorf("function %.200q: it is not registered", name)
		}
	}
	for _, words := range r.Commands {
		switch {
		case len(words) == 0 || !path.IsAbs(words[0]) || path.Clean(words[0]) != words[0]:
			return fmt.Errorf("command %.200q: its program must be a clean absolute path", words)
		case slices.Contains(words[:len(words)-1], More):
			return fmt.Errorf("command %.200q: %q can only be the last word", words, More)
		case strings.ContainsRune(strings.Join(words, ""), 0):
			return fmt.Errorf("command %.200q: a NUL byte is in it", words)
		}
		if _, _, err := pathway.Walk(words[0], pathway.Own); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("command %.200q: %w", words, err)
		}
	}
	return nil
}

// allows reports whether a rule allows a command.
func (r *Rule) allows(argv []string) bool {
	return slices.ContainsFunc(r.Commands, func(words []string) bool {
		if n := len(words) - 1; words[n] == More {
			return len(argv) >= n && slices.Equal(words[:n], argv[:n])
		}
		return slices.Equal(words, argv)
	})
}

// id is the number of who the rule is for.
func (r *Rule) id() (int, error) {
	if r.User != "" {
		return handover.UserID(r.User)
	}
	return handover.GroupID(r.Group)
}
