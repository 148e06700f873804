package main

import (
	"errors"
	"log/slog"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/delivery"
)

func newServe(t *terminal) *cobra.Command {
	var (
		o           delivery.ServeOptions
		connections = countFlag{most: 1 << 20}
		drain       = durationFlag{most: maxTimeout}
	)
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Run functions for those who connect to a unix socket",
		Long: `serve listens on a unix socket and starts a worker for each connection of somebody who
may: its own user and root, and those of --user and --group. Who it is, the system
says. What they call runs as the user of serve. Callers write

  deliveryboy call --via socket=/run/app/app.sock NAME
  deliveryboy call --via ssh=web1//socket=/run/app/app.sock NAME

If its user is neither theirs nor root, they add //user=NAME, so that nobody else can
take its place. The socket has mode 0600, in a directory of mode 0700 that is made if
it is missing; with --user or --group 0666 and 0711. There is no form for TCP: put ssh
before the socket.

Without --socket, serve takes the socket that systemd has opened for it.

One line on stderr for each connection says who, what, and how it ended. At SIGTERM or
SIGINT serve takes no more connections, waits for the workers as long as --drain says,
ends them, and ends with status 0.`,
		Example: `  deliveryboy serve --socket /run/user/1000/app.sock
  deliveryboy serve --socket /run/web/web.sock --user www --only command.run,file.read`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if o.Socket == "" {
				if o.Listener, err = handedSocket(); err != nil {
					return err
				}
			}
			o.Connections, o.Drain = connections.value, drain.value
			o.Log = slog.New(slog.NewTextHandler(t.err, nil))
			return delivery.Serve(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Socket, "socket", "", "where to listen, an absolute `path`")
	f.StringSliceVar(&o.Only, "only", nil, "the `names` of the functions that may be called, with commas (default all)")
	f.StringSliceVar(&o.Users, "user", nil, "a `user` who may connect, a name or #uid; may be given many times")
	f.StringSliceVar(&o.Groups, "group", nil, "a `group` whose members may connect, a name or #gid; may be given many times")
	f.Var(&connections, "connections", "how many there may be at once (default 128)")
	f.Var(&drain, "drain", "how long workers may go on when serve is to end (default "+(10*time.Second).String()+")")
	return cmd
}

// handedSocket is the socket that systemd opened for this process; see sd_listen_fds(3).
func handedSocket() (*net.UnixListener, error) {
	const first = 3
	pid, count := os.Getenv("LISTEN_PID"), os.Getenv("LISTEN_FDS")
	if pid != strconv.Itoa(os.Getpid()) || count == "" {
		return nil, &usageError{what: "flag --socket", why: "is missing; write --socket /path/of/the/socket"}
	}
	if count != "1" {
		return nil, &usageError{what: "LISTEN_FDS", value: quote(count), why: "systemd has to open one socket for this service, with ListenStream=/path"}
	}
	syscall.CloseOnExec(first)
	file := os.NewFile(first, "socket of systemd")
	defer file.Close()
	l, err := net.FileListener(file)
	if err != nil {
		return nil, err
	}
	unix, ok := l.(*net.UnixListener)
	if !ok {
		return nil, errors.Join(errors.New("the socket of systemd is no unix socket of streams, which it has to be: there is no authentication for others"), l.Close())
	}
	return unix, nil
}
