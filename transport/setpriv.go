package transport

import "strings"

// Setpriv starts the worker with other ids or fewer rights through util-linux setpriv, which becomes the worker: there is
// no process in between, no shell and no PAM. Other ids need root; the rest anybody may ask for. The environment stays
// the caller's.
type Setpriv struct {
	// User is the target user, a name or "#uid"; empty leaves the user as it is.
	User string
	// Group is the primary group, a name or "#gid". Required with User: setpriv does not look it up.
	Group string
	// Groups are the supplementary groups, names or "#gid". Empty: with User, those that the system gives it; without, they
	// stay as they are.
	Groups []string
	// NoNewPrivs keeps the worker and its children from gaining rights by any exec, also by sudo (--no-new-privs).
	NoNewPrivs bool
	// NoCaps takes the capabilities away that an exec could give (--bounding-set=-all --inh-caps=-all): a worker of root
	// is still root to files, and may do little else. Only root may ask for it.
	NoCaps bool
	// Program is another setpriv: an absolute path, or a name that Build looks up; empty means "setpriv".
	Program string
}

// Command returns setpriv, its options, "--" and argv.
func (s Setpriv) Command(argv []string) ([]string, error) {
	prefix := appendSet([]string{programOr(s.Program, "setpriv")}, [2]string{"--reuid", number(s.User)},
		[2]string{"--regid", number(s.Group)})
	switch {
	case len(s.Groups) > 0:
		groups := make([]string, len(s.Groups))
		for i, group := range s.Groups {
			groups[i] = number(group)
		}
		prefix = append(prefix, "--groups="+strings.Join(groups, ","))
	case s.User != "":
		prefix = append(prefix, "--init-groups")
	case s.Group != "":
		prefix = append(prefix, "--keep-groups")
	}
	if s.NoNewPrivs {
		prefix = append(prefix, "--no-new-privs")
	}
	if s.NoCaps {
		prefix = append(prefix, "--inh-caps=-all", "--bounding-set=-all")
	}
	return prefixed(checkAll(s.check(), s.checkWhole()), argv, append(prefix, "--")...)
}

// String is the spec form, such as "setpriv=www//group=www//no_new_privs".
func (s Setpriv) String() string {
	t := segments{}
	t.add("setpriv", s.User)
	t.text("group", s.Group)
	t.text("groups", strings.Join(s.Groups, ","))
	t.flag("no_new_privs", s.NoNewPrivs)
	t.flag("no_caps", s.NoCaps)
	t.text("program", s.Program)
	return t.join()
}

func (s Setpriv) check() error {
	for _, group := range s.Groups {
		if err := checkUser("setpriv groups", group); err != nil {
			return err
		}
	}
	return checkAll(checkUserOr("setpriv user", s.User), checkUserOr("setpriv group", s.Group),
		checkProgram("setpriv program", s.Program))
}

// checkWhole is for when all options were read.
func (s Setpriv) checkWhole() error {
	switch {
	case s.User != "" && s.Group == "":
		return invalid("setpriv group", "", "is needed with a user; setpriv does not look up which group the user has")
	case s.User == "" && s.Group == "" && len(s.Groups) == 0 && !s.NoNewPrivs && !s.NoCaps:
		return invalid("setpriv user", "", "is empty, and nothing else is asked for; give a user and group, no_new_privs or no_caps")
	}
	return nil
}

func (s Setpriv) facts() facts { return facts{here: true} }

var setprivKind = kind{
	name:  "setpriv",
	begin: func(v string) (Transport, error) { return Setpriv{User: v}, nil },
	options: []option{
		textOption("group", func(s *Setpriv) *string { return &s.Group }),
		listOption("groups", func(s *Setpriv) *[]string { return &s.Groups }),
		flagOption("no_new_privs", func(s *Setpriv) *bool { return &s.NoNewPrivs }),
		flagOption("no_caps", func(s *Setpriv) *bool { return &s.NoCaps }),
		textOption("program", func(s *Setpriv) *string { return &s.Program }),
	},
}
