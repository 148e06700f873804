package doctor

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"time"
)

// patience is how long a program that is asked something may take.
const patience = 15 * time.Second

// maxSaid is how much of its answer counts, in bytes.
const maxSaid = 1 << 20

// ask runs a program that only answers. The error is about its start, or a missing answer, not about its exit status.
func ask(ctx context.Context, argv ...string) (out, said string, status int, err error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	cmd.WaitDelay = time.Second
	var stdout, stderr bounded
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	if cmd.ProcessState != nil && cmd.ProcessState.Exited() {
		return stdout.String(), stderr.String(), cmd.ProcessState.ExitCode(), nil
	}
	return "", "", -1, err
}

// bounded keeps the beginning of what is written to it.
type bounded struct{ bytes.Buffer }

// Write keeps what fits.
func (b *bounded) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(maxSaid-b.Len(), 0))])
	return len(p), nil
}
