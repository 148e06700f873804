// Package kernel is the client of a kernel: a process that stays while others restart, and keeps for them what must not be
// lost meanwhile.
//
//	k, err := kernel.Open(ctx, kernel.Options{Start: true})
//	web, err := k.MakeSocket(ctx, "web", kernel.SocketSpec{Port: 8080, Backlog: 100})
//	app, err := k.MakeProcess(ctx, "app", kernel.ProcessSpec{Args: []string{"/srv/app", "--fd", "$(socket.web.fileno)"}})
//	w, err := k.WatchProcesses(ctx, kernel.WatchOptions{}, "app")
//	for e, err := range w.Events(ctx) { … }
//
// Three kinds of things have names there. Sockets listen, so that clients wait in the backlog while nobody accepts. Values are
// small, and survive what sets them. Processes are started by the kernel; it records what they print and how they end, until
// somebody has acknowledged it. The same name with the same settings is the same thing: a program that starts again asks for
// all of it again, and finds what is there.
//
// A kernel belongs to one user and serves that user and root, on a unix socket; see [DefaultSocket]. The system says who
// connects. [Start] starts one, if the program imports package kernel/server and calls delivery.Main first; else the command
// deliveryboy kernel serve is one. It is two processes, and survives the death of either; package kernel/holder tells how.
//
// SPEC.md is the protocol, and the limits. Kernels run on Linux; clients are built anywhere. [Error] is what a kernel answers
// when it does not do what it was asked for, and errors.Is tells its kinds: [ErrNotFound], [ErrExists], [ErrDenied] …
package kernel
