package password

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// Command answers with the first line that a program prints, such as the tool of a keyring or a password manager:
//
//	password.Command("/usr/bin/secret-tool", "lookup", "service", "deliveryboy")
//	password.Command("/usr/bin/pass", "show", "hosts/web1")
//	password.Command("/usr/bin/keyctl", "pipe", "%user:deliveryboy")
//
// The last two are filled with "pass insert hosts/web1", and with "keyctl padd user deliveryboy @u", which takes the password
// from its stdin. The program is an absolute path; nothing is added to its arguments, and whatever hop asks gets the same
// answer. It has this program's environment and stderr goes nowhere but into the error, if it fails. When ctx ends it is
// killed.
func Command(argv ...string) Ask {
	return func(ctx context.Context, _ Prompt) (box.Secret[string], error) {
		if len(argv) == 0 || !filepath.IsAbs(argv[0]) {
			return box.Secret[string]{}, fmt.Errorf("password: command %.200q: an absolute path is needed", argv)
		}
		s, said, err := firstLine(ctx, argv...)
		if err != nil && !errors.Is(err, ErrNone) {
			err = fmt.Errorf("password: %w", commandError(ctx, argv[0], err, said))
		}
		return s, err
	}
}

// firstLine is the first line that a program prints, and what it says on stderr.
func firstLine(ctx context.Context, argv ...string) (s box.Secret[string], said []byte, err error) {
	out, complaint := make(bounded, 0, maxLine+2), make(bounded, 0, maxLine+2)
	defer func() { clear(out[:cap(out)]) }()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &complaint, time.Second
	if err := cmd.Run(); err != nil {
		return s, bytes.TrimSpace(complaint), err
	}
	line, _, _ := bytes.Cut(out, []byte("\n"))
	switch {
	case len(line) == 0:
		return s, nil, ErrNone
	case len(line) > maxLine:
		return s, nil, fmt.Errorf("%s: the line has more than %d bytes", argv[0], maxLine)
	}
	return box.NewSecret(string(line)), nil, nil
}

// commandError says what a program said when it failed.
func commandError(ctx context.Context, program string, err error, said []byte) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case exitCode(err) >= 0 && len(said) > 0:
		return fmt.Errorf("%s: %w: %.200q", program, err, said)
	}
	return err
}

// exitCode is how a program ended; -1 if it did not, by itself.
func exitCode(err error) int {
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return exit.ExitCode()
	}
	return -1
}

// bounded keeps the beginning of what is written to it, up to its capacity: growing would leave copies behind.
type bounded []byte

func (b *bounded) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), cap(*b)-len(*b))]...)
	return len(p), nil
}
