package main

import (
	"log/slog"
	"net"
	"reflect"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport/mtls"
)

func newServe(t *terminal) *cobra.Command {
	var (
		o           delivery.ServeOptions
		connections = countFlag{most: 1 << 20}
		drain       = durationFlag{most: maxTimeout}
		guard       mtls.Server
	)
	cmd := &cobra.Command{
		Use:   "serve [flags]",
		Short: "Run functions for those who connect to a socket",
		Long: `serve listens on a unix socket and starts a worker for each connection of somebody who
may: its own user and root, and those of --user and --group. Who it is, the system
says. What they call runs as the user of serve. Callers write

  deliveryboy call --via socket=/run/app/app.sock NAME
  deliveryboy call --via ssh=web1//socket=/run/app/app.sock NAME

If its user is neither theirs nor root, they add //user=NAME, so that nobody else can
take its place. The socket has mode 0600, in a directory of mode 0700 that is made if
it is missing; with --user or --group 0666 and 0711.

With neither --socket nor --listen, serve takes the socket that systemd has opened for
it, a unix socket or one of TCP.

With --listen it listens on TCP instead, with TLS 1.3 alone. Then --cert, --key and
--client-ca are needed, and those may connect who have a certificate of that authority
and, with --allow or --allow-file, are on that list: uri:NAME, dns:NAME, cn:NAME of a
certificate, or sha256:DIGEST of its key. With --client-crl, those who are on the authority's list of
revoked certificates may not, and nobody once that list has expired. Files are read anew
for each connection.
Callers write

  deliveryboy call --via socket=web1:7413//cert=FILE//key=FILE//ca=FILE NAME

One line on stderr for each connection says who, what, and how it ended. At SIGTERM or
SIGINT serve takes no more connections, waits for the workers as long as --drain says,
ends them, and ends with status 0.`,
		Example: `  deliveryboy serve --socket /run/user/1000/app.sock
  deliveryboy serve --socket /run/web/web.sock --user www --only command.run,file.read
  deliveryboy serve --listen :7413 --cert web1.pem --key web1.key --client-ca ca.pem --allow cn:deployer`,
		Args: exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			switch {
			case o.Address != "" || o.Socket != "":
			case !handed() && reflect.ValueOf(guard).IsZero():
				return &usageError{what: "flag --socket", why: "is missing; write --socket /path/of/the/socket"}
			case handed():
				if o.Listener, err = handedSocket(); err != nil {
					return err
				}
			}
			_, far := o.Listener.(*net.TCPListener)
			switch certified := !reflect.ValueOf(guard).IsZero(); {
			case o.Address != "" || far:
				o.Guard = guard
			case certified && o.Listener != nil:
				return &usageError{what: "the socket of systemd", why: "is a unix socket; --cert, --key, --client-ca, --client-crl, --allow and --allow-file are for TCP"}
			case certified:
				return &usageError{what: "flag --listen", why: "is missing; --cert, --key, --client-ca, --client-crl, --allow and --allow-file are for TCP"}
			}
			o.Connections, o.Drain = connections.value, drain.value
			o.Log = slog.New(slog.NewTextHandler(t.err, nil))
			return delivery.Serve(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.Socket, "socket", "", "where to listen, an absolute `path`")
	f.StringVar(&o.Address, "listen", "", "where to listen on TCP, `host:port`")
	f.StringVar(&guard.Cert, "cert", "", "the `file` of the certificate to show on TCP, PEM")
	f.StringVar(&guard.Key, "key", "", "the `file` of its private key, PEM, of mode 0600")
	f.StringVar(&guard.ClientCA, "client-ca", "", "the `file` of the authorities of those who may connect, PEM")
	f.StringVar(&guard.Revoked, "client-crl", "", "the `file` of what these authorities have revoked (CRL), PEM or DER")
	f.StringSliceVar(&guard.Names, "allow", nil, "the `names` of certificates that may connect, with commas (default all of the authority)")
	f.StringVar(&guard.NamesFile, "allow-file", "", "a `file` with more of them, one in a line")
	f.StringSliceVar(&o.Only, "only", nil, "the `names` of the functions that may be called, with commas (default all)")
	f.StringSliceVar(&o.Users, "user", nil, "a `user` who may connect, a name or #uid; may be given many times")
	f.StringSliceVar(&o.Groups, "group", nil, "a `group` whose members may connect, a name or #gid; may be given many times")
	f.Var(&connections, "connections", "how many there may be at once, of one guest half (default 128)")
	f.Var(&drain, "drain", "how long workers may go on when serve is to end (default "+(10*time.Second).String()+")")
	return cmd
}
