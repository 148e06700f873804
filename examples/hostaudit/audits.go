package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// The functions that may be delivered. Each has the same shape, func(ctx, A) (R, error), and its name is written once.
var (
	whoami     = registry.Register("hostaudit.whoami", currentUser)
	passwords  = registry.Register("hostaudit.passwords", auditPasswords)
	sudoers    = registry.Register("hostaudit.sudoers", auditSudoers)
	setuid     = registry.Register("hostaudit.setuid", auditSetuid)
	hostKeys   = registry.Register("hostaudit.hostkeys", auditHostKeys)
	server     = registry.Register("hostaudit.sshd", auditServer)
	listenings = registry.Register("hostaudit.listeners", auditListeners)
)

// An audit is a registered function, ready to run anywhere with its default question.
type audit struct {
	name string
	run  func(ctx context.Context, c box.Courier) (report, error)
}

// A report is what every audit returns: a sentence, findings, and whatever else it saw, for -json.
type report interface {
	fmt.Stringer
	All() []Finding
}

var audits = []audit{
	{"passwords", on(passwords)},
	{"sudoers", on(sudoers)},
	{"setuid", on(setuid)},
	{"hostkeys", on(hostKeys)},
	{"sshd", on(server)},
	{"listeners", on(listenings)},
}

// on makes audits of different types look the same. What is called inside keeps its type: f.On(c) is a
// func(context.Context, A) (R, error), checked by the compiler.
func on[A any, R report](
	f registry.Func[func(context.Context, A) (R, error)],
) func(context.Context, box.Courier) (report, error) {
	return func(ctx context.Context, c box.Courier) (report, error) {
		var question A
		answer, err := f.On(c)(ctx, question)
		if err != nil {
			return nil, err
		}
		return answer, nil
	}
}

// currentUser is the name of whoever runs it, or "#" and the number of a user that nobody gave a name. It does next to
// nothing, so its call shows what any call costs.
func currentUser(context.Context) (string, error) {
	id := strconv.Itoa(os.Getuid())
	u, err := user.LookupId(id)
	var unknown user.UnknownUserIdError
	switch {
	case errors.As(err, &unknown):
		return "#" + id, nil
	case err != nil:
		return "", err
	}
	return u.Username, nil
}
