package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/pool"
)

func init() { pool.Register() } // as its functions run programs anyway, command.run for one

func newPool(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "pool",
		Short: "Run commands in the workers of a small server",
		Long: `pool is a server with a few workers that wait for commands, on a unix socket, and the
way to run commands there. Whoever has much memory, or many things to start, leaves that
to the server: it is small, and its workers are there already.`,
		Example: `  deliveryboy pool serve --pool-size 4
  deliveryboy pool run -- ls -al
  deliveryboy pool run --shell 'ls *.go | wc -l'`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newPoolServe(t), newPoolRun(t), newPoolUnit(t))
	return cmd
}

// poolSocket is where a pool of this user listens, if nothing else is said.
func poolSocket() string {
	dir := "/run/deliveryboy"
	if os.Geteuid() != 0 {
		dir = os.Getenv("XDG_RUNTIME_DIR")
		if !filepath.IsAbs(dir) {
			dir = "/tmp/deliveryboy-" + strconv.Itoa(os.Geteuid())
		} else {
			dir = filepath.Join(dir, "deliveryboy")
		}
	}
	return filepath.Join(dir, "pool.sock")
}

// title has ps and top show what this process is, where there is a place for it.
func title(text string) {
	_ = os.WriteFile(fmt.Sprintf("/proc/self/task/%d/comm", os.Getpid()), []byte(text), 0)
}

// A commandStatus is the exit status of a command that was run elsewhere. There is nothing to say about it.
type commandStatus struct{ code int }

func (s *commandStatus) Error() string { return "exit status " + strconv.Itoa(s.code) }

// poolPermission and poolUnavailable are the exit statuses for what a pool's server says.
func poolPermission(err error) int {
	if errors.Is(err, pool.ErrRefused) || errors.Is(err, pool.ErrUntrusted) || errors.As(err, new(*pool.DeniedError)) {
		return exitPermission
	}
	return 0
}

func poolUnavailable(err error) int {
	if errors.Is(err, pool.ErrBusy) || errors.Is(err, pool.ErrClosed) || errors.As(err, new(*pool.FullError)) || errors.As(err, new(*pool.TimeoutError)) {
		return exitUnavailable
	}
	return 0
}
