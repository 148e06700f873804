package main

import (
	"github.com/spf13/pflag"

	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// askFlag has sudo and ssh ask for passwords at the terminal.
type askFlag struct{ on bool }

func (a *askFlag) add(f *pflag.FlagSet) {
	f.BoolVar(&a.on, "ask", false, "ask at the terminal for the passwords that sudo and ssh want")
}

// provider is who answers; nil without the flag.
func (a *askFlag) provider() password.Ask {
	if !a.on {
		return nil
	}
	return password.Terminal()
}

// exampleHelper stands for a file whose name is another one each time.
const exampleHelper = "/tmp/deliveryboy-ask-RANDOM/deliveryboy-askpass"

// shown is the way there as people see it, with hops that ask.
func (a *askFlag) shown(via transport.Transport) transport.Transport {
	if !a.on {
		return via
	}
	can := transport.Askable(via)
	helpers := make([]string, len(can))
	for i := range can {
		if can[i] {
			helpers[i] = exampleHelper
		}
	}
	return transport.Asking(via, helpers)
}
