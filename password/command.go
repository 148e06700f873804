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
//
// The program is an absolute path; nothing is added to its arguments. It has this program's environment and stderr goes
// nowhere but into the error, if it fails. When ctx ends it is killed.
func Command(argv ...string) Ask {
	return func(ctx context.Context, _ Prompt) (box.Secret[string], error) {
		if len(argv) == 0 || !filepath.IsAbs(argv[0]) {
			return box.Secret[string]{}, fmt.Errorf("password: command %.200q: an absolute path is needed", argv)
		}
		out, said := make(bounded, 0, maxLine+2), make(bounded, 0, maxLine+2)
		defer func() { clear(out[:cap(out)]) }()
		cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
		cmd.Stdout, cmd.Stderr, cmd.WaitDelay = &out, &said, time.Second
		if err := cmd.Run(); err != nil {
			return box.Secret[string]{}, commandError(ctx, argv[0], err, said)
		}
		line, _, _ := bytes.Cut(out, []byte("\n"))
		switch {
		case len(line) == 0:
			return box.Secret[string]{}, ErrNone
		case len(line) > maxLine:
			return box.Secret[string]{}, fmt.Errorf("password: %s: the line has more than %d bytes", argv[0], maxLine)
		}
		return box.NewSecret(string(line)), nil
	}
}

func commandError(ctx context.Context, program string, err error, said []byte) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(said) > 0 {
		return fmt.Errorf("password: %s: %w: %.200q", program, err, bytes.TrimSpace(said))
	}
	return fmt.Errorf("password: %w", err)
}

// bounded keeps the beginning of what is written to it, up to its capacity: growing would leave copies behind.
type bounded []byte

func (b *bounded) Write(p []byte) (int, error) {
	*b = append(*b, p[:min(len(p), cap(*b)-len(*b))]...)
	return len(p), nil
}
