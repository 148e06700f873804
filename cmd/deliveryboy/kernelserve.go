package main

import (
	"fmt"
	"net"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/server"
)

func newKernelServe(t *terminal) *cobra.Command {
	var (
		set         kernel.Settings
		connections = countFlag{most: 1 << 20}
		daemonize   bool
	)
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Be the kernel",
		Long: `serve is the kernel, until it gets SIGTERM or SIGINT, or somebody says exit-if-idle. One user
has one kernel, unless --socket makes more: if it runs already, the exit status is 69.

Only its own user and root may connect, and those of --allow-uid. Who it is, the system
says. The socket has mode 0600, in a directory of mode 0700 that is made if it is missing;
with --allow-uid 0666 and 0711. There is no form for TCP: put ssh before the socket.

With --daemonize, serve returns when clients can connect, and the kernel stays: in a
session of its own, with directory / and umask 077, and its log in the state directory.

Started by systemd with a socket, serve takes that one; see kernel unit. It tells systemd
when it is ready. If a kernel runs there already, of which systemd does not know, serve
makes it known, and ends.`,
		Example: `  deliveryboy kernel serve
  deliveryboy kernel serve --daemonize --pidfile /run/app/kernel.pid --socket /run/app/kernel.sock`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			set.Connections = connections.value
			if daemonize {
				return kernel.Start(cmd.Context(), set)
			}
			return t.serveKernel(set)
		},
	}
	f := cmd.Flags()
	f.StringVar(&set.Socket, "socket", "", "where to listen, an absolute `path` (default this user's own)")
	f.StringVar(&set.State, "state", "", "the `directory` for what has to last (default beside the socket, or this user's own)")
	f.Var(uidsFlag{&set.AllowUIDs}, "allow-uid", "the number of a `user` who may connect; may be given many times")
	f.Var(&connections, "connections", "how many one user may have at once (default 4096)")
	f.StringVar(&set.Log, "log", "", "the `file` for the log (default stderr; with --daemonize, log in the state directory)")
	f.StringVar(&set.PIDFile, "pidfile", "", "the `file` for the number of the process to signal")
	f.BoolVar(&daemonize, "daemonize", false, "return when it runs, and have it stay")
	return cmd
}

// serveKernel is the kernel in this process.
func (t *terminal) serveKernel(set kernel.Settings) error {
	var l *net.UnixListener
	if handed() {
		var err error
		if l, err = handedUnix(); err != nil {
			return err
		}
		if path := l.Addr().String(); set.Socket != "" && set.Socket != path {
			return &usageError{what: "flag --socket", value: quote(set.Socket), why: "is not the socket of systemd, which is " + quote(path)}
		}
	}
	code, err := server.Run(set, l, func() {})
	if err == nil && code != 0 {
		err = &kernelEndError{code}
	}
	return err
}

// A kernelEndError is a kernel whose server ended with an exit code.
type kernelEndError struct{ code int }

func (e *kernelEndError) Error() string {
	return fmt.Sprintf("the kernel ended with exit status %d; its log says why", e.code)
}
