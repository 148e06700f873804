package password

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/seed354a1416/deliveryboy/box"
)

// lookupTool is the program of libsecret that looks into a keyring.
const lookupTool = "/usr/bin/secret-tool"

// Keyring answers with what the user's keyring has for the hop that asks, through secret-tool of libsecret: GNOME's keyring,
// KDE's wallet, and whatever else serves the Secret Service on the session's bus. The password of each hop is stored once,
// under two attributes, service and the hop in spec form:
//
//	secret-tool store --label='root here' service deliveryboy hop sudo
//	secret-tool store --label='the database host' service deliveryboy hop ssh=deploy@db1
//
//	root := delivery.Once{Via: transport.Sudo{}, Ask: password.Keyring("deliveryboy")}
//
// What is not there is ErrNone. A keyring that is locked may ask the user for its own password, on the desktop, until ctx
// ends. For other stores see [Command].
func Keyring(service string) Ask {
	return func(ctx context.Context, p Prompt) (box.Secret[string], error) {
		s, said, err := firstLine(ctx, lookupTool, "lookup", "--", "service", service, "hop", p.Hop)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return s, fmt.Errorf("password: keyring: %w; install libsecret's tools", err)
		case err != nil && ctx.Err() == nil && exitCode(err) == 1 && len(said) == 0:
			return s, ErrNone // which is how secret-tool puts it
		case err != nil:
			return s, fmt.Errorf("password: keyring: %w", commandError(ctx, lookupTool, err, said))
		}
		return s, nil
	}
}
