package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/spf13/pflag"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// askFlag has sudo, ssh, su and doas ask for passwords: out of the keyring, at the terminal, or first the one and then the
// other.
type askFlag struct {
	on      bool
	keyring string
}

func (a *askFlag) add(f *pflag.FlagSet) {
	f.BoolVar(&a.on, "ask", false, "ask at the terminal for the passwords that sudo, ssh, su and doas want")
	f.StringVar(&a.keyring, "keyring", "", "look for these passwords in your keyring, under this `service` and the hop; with --ask, ask for those that are not there")
}

// provider is who answers; nil without the flags.
func (a *askFlag) provider() password.Ask {
	switch {
	case a.keyring == "" && a.on:
		return password.Terminal()
	case a.keyring == "":
		return nil
	}
	stored, typed := password.Keyring(a.keyring), password.Terminal()
	return func(ctx context.Context, p password.Prompt) (box.Secret[string], error) {
		s, err := stored(ctx, p)
		if a.on && errors.Is(err, password.ErrNone) {
			return typed(ctx, p)
		}
		return s, err
	}
}

// exampleHelper stands for a file whose name is another one each time, and exampleTerminal for one beside it.
const (
	exampleHelper   = "/tmp/deliveryboy-ask-RANDOM/deliveryboy-askpass"
	exampleTerminal = "deliveryboy-terminal"
)

// shown is the way there as people see it, with hops that ask.
func (a *askFlag) shown(via transport.Transport) transport.Transport {
	if a.provider() == nil {
		return via
	}
	can := transport.Askable(via)
	helpers := make([]string, len(can))
	for i, hop := range transport.Hops(via) {
		switch {
		case can[i] && transport.AsksAtTerminal(hop):
			helpers[i] = filepath.Join(filepath.Dir(exampleHelper), exampleTerminal)
		case can[i]:
			helpers[i] = exampleHelper
		}
	}
	return transport.Asking(via, helpers)
}
