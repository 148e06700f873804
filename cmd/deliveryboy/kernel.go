package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
	"github.com/seed354a1416/deliveryboy/kernel"
)

func newKernel(t *terminal) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "kernel COMMAND",
		Short: "Keep sockets, values and processes for programs that restart",
		Long: `A kernel is a process that stays while others restart. It listens for them, so that
their clients wait instead of being refused; it keeps small values; and it starts
processes and keeps what they print and how they end, until somebody takes it.

It serves its own user and root, on a unix socket, and speaks lines of text: kernel shell
or nc -U show them, kernel/SPEC.md tells all about them, and Go programs use package
kernel.`,
		Example: `  deliveryboy kernel serve --daemonize
  deliveryboy kernel shell make socket web port=8080
  deliveryboy kernel shell make process app /srv/app --fd '$(socket.web.fileno)'
  deliveryboy kernel status`,
		Args: noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newKernelServe(t), newKernelShell(t), newKernelStatus(t), newKernelUpgrade(t), newKernelUnit(t))
	return cmd
}

// kernelFlag is the flag that says which kernel is meant.
func kernelFlag(cmd *cobra.Command, o *kernel.Options) {
	cmd.Flags().StringVar(&o.Socket, "socket", "", "where the kernel listens, an absolute `path` (default that of this user's own)")
}

// withKernel calls do with a client.
func withKernel(ctx context.Context, o kernel.Options, do func(*kernel.Client) error) error {
	c, err := kernel.Open(ctx, o)
	if err != nil {
		return err
	}
	return errors.Join(do(c), c.Close())
}

func newKernelStatus(t *terminal) *cobra.Command {
	var o kernel.Options
	var asJSON bool
	cmd := &cobra.Command{
		Use:     "status [flags]",
		Short:   "Show what the kernel is, and how much it keeps",
		Long:    "status shows the kernel's process, user and age, where its socket and state are, and how much it\nkeeps for all users.",
		Example: "  deliveryboy kernel status\n  deliveryboy kernel status --json | jq -r .pid",
		Args:    exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return withKernel(cmd.Context(), o, func(c *kernel.Client) error {
				facts, err := c.Status(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return t.printJSON(facts)
				}
				return t.printFacts(facts)
			})
		},
	}
	kernelFlag(cmd, &o)
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON document to stdout")
	return cmd
}

func (t *terminal) printJSON(facts map[string]string) error {
	e := json.NewEncoder(t.out)
	e.SetIndent("", "  ")
	if err := e.Encode(facts); err != nil {
		return &outputError{err}
	}
	return nil
}

func (t *terminal) printFacts(facts map[string]string) error {
	var keys []string
	for k := range facts {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		if _, err := fmt.Fprintf(t.out, "%-12s %s\n", plain.Line(k), plain.Line(facts[k])); err != nil {
			return &outputError{err}
		}
	}
	return nil
}

func newKernelUpgrade(t *terminal) *cobra.Command {
	var o kernel.Options
	var binary string
	cmd := &cobra.Command{
		Use:   "upgrade [flags]",
		Short: "Have the kernel become a newer program, without losing anything",
		Long: `upgrade has the kernel become the program that is installed now, or another one: its
processes, sockets, values and connections stay. The kernel tries the new program first,
and goes on as it is if that does not work.`,
		Example: "  deliveryboy kernel upgrade\n  deliveryboy kernel upgrade --binary /usr/local/bin/deliveryboy",
		Args:    exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if binary == "" {
				exe, err := os.Executable()
				if err != nil {
					return err
				}
				binary = exe
			}
			path, err := filepath.Abs(binary)
			if err != nil {
				return err
			}
			return withKernel(cmd.Context(), o, func(c *kernel.Client) error {
				said, err := c.Upgrade(cmd.Context(), path)
				if err != nil {
					return err
				}
				if _, err := t.out.WriteString(plain.Text(said)); err != nil {
					return &outputError{err}
				}
				return nil
			})
		},
	}
	kernelFlag(cmd, &o)
	cmd.Flags().StringVar(&binary, "binary", "", "the `program` that the kernel becomes (default this one)")
	return cmd
}

// kernelStatus is the exit status for what a kernel said, or what was wrong on the way to it.
func kernelStatus(code kernel.Code, status int) func(error) int {
	return func(err error) int {
		if e := (*kernel.Error)(nil); errors.As(err, &e) && e.Code == code {
			return status
		}
		return 0
	}
}

func kernelDenied(err error) int {
	if errors.Is(err, kernel.ErrDenied) {
		return exitPermission
	}
	return 0
}

func kernelUnavailable(err error) int {
	if errors.Is(err, kernel.ErrUnavailable) || errors.Is(err, kernel.ErrLost) || errors.Is(err, kernel.ErrRunning) || errors.Is(err, kernel.ErrNotFound) {
		return exitUnavailable
	}
	return 0
}

// uidsFlag is a list of numbers of users.
type uidsFlag struct{ list *[]int }

func (f uidsFlag) String() string {
	if f.list == nil || len(*f.list) == 0 {
		return ""
	}
	return fmt.Sprint(*f.list)
}

func (uidsFlag) Type() string { return "uid" }

func (f uidsFlag) Set(s string) error {
	uid, err := strconv.ParseUint(s, 10, 31)
	if err != nil {
		return errors.New("no number of a user; id -u NAME tells it")
	}
	*f.list = append(*f.list, int(uid))
	return nil
}
