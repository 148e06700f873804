package delivery

import (
	"context"

	"github.com/seed354a1416/deliveryboy/worker/server"
)

// ServeOptions are where [Serve] listens, and whom it serves.
type ServeOptions = server.Options

// ErrServed says that another server listens on the socket of [ServeOptions].
var ErrServed = server.ErrServed

// Serve starts a worker of this program for everyone who connects to a unix socket and may, until the context ends:
//
//	err := delivery.Serve(ctx, delivery.ServeOptions{Socket: "/run/app/app.sock", Only: []string{"app.reload"}})
//
// Callers reach it through transport.Socket{Path: "/run/app/app.sock"}; from another host through ssh before that. By
// default only this process's user and root may connect. What they call runs as this process's user.
func Serve(ctx context.Context, o ServeOptions) error { return server.Serve(ctx, o) }
