package doctor

import (
	"context"
	"fmt"
	"sync"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Options say what an examination may do besides looking. The zero value: nothing.
type Options struct {
	// Ask answers when sudo or ssh asks for a password on the way, as in session.Options. Each question is put once: the
	// answer is kept for the stops that follow, until the examination ends. Nil: nobody is asked, and a hop that needs a
	// password is an error.
	Ask password.Ask

	// Deploy brings this program to each stop that does not have it, as a call would, and leaves it there. The spec must not
	// name a program then.
	Deploy deploy.Options
}

func (o Options) check(spec transport.Spec) error {
	if o.Deploy.On && spec.Binary != "" {
		return fmt.Errorf("doctor: program %.1024q: with Deploy, the program is where Deploy puts it; leave binary= out of the spec", spec.Binary)
	}
	return o.Deploy.Check()
}

// answers keeps what was answered while an examination lasts: every stop is a way of its own, on which the hops before it
// ask again.
type answers struct {
	ask password.Ask

	mu       sync.Mutex
	kept     map[password.Prompt]box.Secret[string]
	recalled bool // an answer was given from memory, since the last forget
}

// provider is who answers; nil if nobody may be asked.
func (a *answers) provider() password.Ask {
	if a.ask == nil {
		return nil
	}
	return a.answer
}

func (a *answers) answer(ctx context.Context, p password.Prompt) (box.Secret[string], error) {
	key := p
	key.Number = 0
	a.mu.Lock()
	s, ok := a.kept[key]
	a.recalled = a.recalled || ok
	a.mu.Unlock()
	if ok {
		return box.NewSecret(s.Reveal()), nil
	}
	s, err := a.ask(ctx, p)
	if err != nil {
		return s, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.kept == nil {
		a.kept = map[password.Prompt]box.Secret[string]{}
	}
	a.kept[key] = box.NewSecret(s.Reveal())
	return s, nil
}

// forget drops what is kept, and reports whether any of it was used: what was right once need not be so again, a code for
// instance.
func (a *answers) forget() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	used := a.recalled
	a.kept, a.recalled = nil, false
	return used
}
