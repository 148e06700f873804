// Package password answers for people: it gives sudo, ssh, su or doas the password that they ask for on the way to a worker.
//
//	root := delivery.Once{Via: transport.Sudo{}, Ask: password.Terminal()}
//
// An [Ask] is a function, so that whatever knows a password can give it: a person at the terminal ([Terminal]), the user's
// keyring ([Keyring]), another program ([Command]), a descriptor ([Reader]), or a function of yours.
//
// What is asked for is the program's affair. A password that has expired makes su and doas ask for a new one as well: who
// answers by Text can give it, and who always gives the same is refused by PAM.
package password

import (
	"context"
	"errors"

	"github.com/seed354a1416/deliveryboy/box"
)

// A Prompt is what the program of a hop wants to know: a password, the passphrase of a key, a PIN, a one-time code.
type Prompt struct {
	// Hop is the hop whose program asks, in spec form, such as "sudo=www" or "ssh=deploy@web1".
	Hop string
	// Text is the question as that program puts it, in whatever language, at most 4 KiB. Parts of it may be another host's
	// words: show control characters by number.
	Text string
	// Number is 1 for the first question on one way to a worker, 2 for the next. Only different questions follow each
	// other: a question that comes again, because the answer was wrong, is not passed on.
	Number int
}

// Ask gives the answer to a prompt. ctx ends when nobody needs the answer any more; a function that does not heed that
// holds nobody up, but stays until it returns. An error, such as ErrNone, means that there is no answer: the call then
// fails with it. An answer has one line of at most 1023 bytes.
type Ask func(ctx context.Context, p Prompt) (box.Secret[string], error)

// ErrNone means that whoever was asked has no password.
var ErrNone = errors.New("password: there is none")

// Fixed answers every prompt with the same password.
func Fixed(s box.Secret[string]) Ask {
	return func(context.Context, Prompt) (box.Secret[string], error) { return box.NewSecret(s.Reveal()), nil }
}
