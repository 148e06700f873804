package session

import (
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Deployed says how the program of the worker that serves now came to the far side. It is zero without [Options.Deploy].
func (s *Session) Deployed() deploy.Result { return s.current.Load().brought }

// plan returns what the transport has to run: the worker, or what becomes it where the program may have to be brought.
func (l *link) plan(names []string) ([]string, error) {
	o := l.options
	if !o.Deploy.On {
		var err error
		l.worker, err = o.argv(names)
		return l.worker, err
	}
	for _, name := range names {
		if err := registry.CheckName(name); err != nil {
			return nil, err
		}
	}
	p, err := deploy.Prepare(o.Deploy)
	if err != nil {
		return nil, err
	}
	l.deploy, l.worker = p, p.Shown(names...)
	return p.Argv(names...), nil
}

// shown is what the transport runs for people: without the text of a script.
func (l *link) shown(argv []string) []string {
	if l.deploy == nil {
		return argv
	}
	steps, err := transport.Explain(l.options.Via, l.worker)
	if err != nil {
		return argv
	}
	return append([]string{argv[0]}, steps[0].Argv[1:]...)
}

// bring sees to it that the program is there and runs. While it travels, patience begins anew with every piece.
func (l *link) bring(patience *patience) (err error) {
	if l.deploy == nil {
		return nil
	}
	l.brought, err = l.deploy.Meet(deploy.Link{
		In: l.process.stdin, Out: l.process.stdout, Noise: &l.excess,
		Progress: patience.again,
	})
	return err
}

// expected is the build that has to answer.
func (l *link) expected() string {
	if l.deploy == nil {
		return build.ID()
	}
	return l.brought.Build
}

// listed reports whether the build that answers is the one that Deploy has for its system, where nothing is brought. Of what
// was brought, the build is known.
func (l *link) listed() (bool, error) {
	if l.deploy != nil {
		return false, nil
	}
	return l.options.Deploy.Serves(l.system(), l.hello.Build)
}

// system is that of the worker, as it says itself.
func (l *link) system() string { return l.hello.OS + "/" + l.hello.Arch }
