package doctor

import (
	"errors"
	"fmt"

	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Options say what an examination may do besides looking. The zero value: nothing.
type Options struct {
	// Ask answers when sudo or ssh asks for a password on the way, as in session.Options. Each question is put once: the
	// answer is kept for the stops that follow, until the examination ends; not that of two hops which are written the same.
	// Nil: nobody is asked, and a hop that needs a password is an error.
	Ask password.Ask

	// Memory keeps the answers for what comes after the examination, too, and asks in place of Ask, which must be nil then.
	Memory *password.Memory

	// Deploy brings this program to each stop that does not have it, as a call would, and leaves it there. The spec must not
	// name a program then.
	Deploy deploy.Options
}

func (o Options) check(spec transport.Spec) error {
	if o.Deploy.On && spec.Binary != "" {
		return fmt.Errorf("doctor: program %.1024q: with Deploy, the program is where Deploy puts it; leave binary= out of the spec", spec.Binary)
	}
	if o.Ask != nil && o.Memory != nil {
		return errors.New("doctor: options Ask and Memory: a memory asks by itself; leave one of them out")
	}
	return o.Deploy.Check()
}

// memory is what keeps the answers while an examination lasts; nil if nobody may be asked. Every stop is a way of its own, on
// which the hops before it ask again.
func (o Options) memory(hops []transport.Transport) *password.Memory {
	if o.Memory != nil || o.Ask == nil {
		return o.Memory
	}
	names := make([]string, len(hops))
	for i, hop := range hops {
		names[i] = hop.String()
	}
	return password.Remember(o.Ask).For("", names)
}
