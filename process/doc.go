// Package process runs programs: here, or over any courier, with their streams, signals, limits and measurements.
//
//	p, err := process.Start(process.Config{Cmdline: "httpd -f /etc/httpd.conf", User: "www", Limits: …})
//	…
//	state, err := p.Stop(ctx) // SIGTERM, and after ten seconds all of it is killed
//
// A [Config] says what to run and as what, and is data; a [Process] is one run of it. [Process.OnOutput], OnExit and
// Subscribe tell what happens to it as events; [Process.Stats] and Monitor measure it. [Restart] keeps something running, and a [Crew] several processes of one kind.
//
// # Elsewhere
//
// [On] gives the same for programs that run behind a courier: as another user, on another host, in a container. One
// delivered call is the life of one such process: it runs while the call does, and what is left of it ends with that,
// whether its caller closes it, is killed, or is cut off. Signals and measurements are made by the far side, which has the
// right to.
//
//	p, err := process.On(session).Start(ctx, process.Config{Argv: []string{"tcpdump", "-i", "eth0"}, Outputs: []string{"out"}})
//
// [Command] is os/exec's, with a courier:
//
//	out, err := process.Command(ctx, session, "systemctl", "is-active", "nginx").Output()
//
// A worker runs the functions that its program has registered, and running any program is more than most of them allow. So
// this package registers nothing by itself: a program that wants it calls [Register] before delivery.Main, and rules of
// sudo that name functions name [FunctionName] then. Without that, couriers give an error that says so.
//
// # What a process finds
//
// It has a session of its own, without a terminal (one of [Run] may have a process group instead, where there is no terminal
// to be kept from), and no descriptors but those that it was given: the first [Start] of a program marks all that the program itself inherited, above the first three, so that they do not get into its children.
//
// Umask, limits and priority are set by a copy of this program, which then becomes the one to run; that needs delivery.Main at
// the beginning of main, and costs a start of this program, some milliseconds. Processes without these are started directly.
//
// # Limits
//
// A process here runs on when this program is killed, as with os/exec; one over a courier does not. What a process has started
// is killed with it, by Stop, Kill, Close or a context, as far as it is below it or in its process group then; over a courier the
// end of the worker gets the rest. Measurements, and what has left the process group, need Linux.
package process
