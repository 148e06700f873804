package delivery

import (
	"context"

	"github.com/seed354a1416/deliveryboy/worker/server"
)

// ServeOptions are where [Serve] listens, and whom it serves.
type ServeOptions = server.Options

// A ServeOptionError is [ServeOptions] that cannot be.
type ServeOptionError = server.OptionError

// ErrServed says that another server listens on the socket of [ServeOptions].
var ErrServed = server.ErrServed

// ErrOpen says that a server was to listen on TCP without certificates.
var ErrOpen = server.ErrOpen

// Serve starts a worker of this program for everyone who connects to a socket and may, until the context ends:
//
//	err := delivery.Serve(ctx, delivery.ServeOptions{Socket: "/run/app/app.sock", Only: []string{"app.reload"}})
//
// Callers reach it through transport.Socket{Path: "/run/app/app.sock"}; from another host through ssh before that. By
// default only this process's user and root may connect. What they call runs as this process's user. With Address and a
// Guard of package transport/mtls it listens on TCP, where certificates say who may connect.
func Serve(ctx context.Context, o ServeOptions) error { return server.Serve(ctx, o) }
