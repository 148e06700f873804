// Errors shows what comes back from a call that did not go well: the error that a local call would have given.
//
//	go run ./examples/errors                     # a fresh copy of this program
//	go run ./examples/errors -via sudo           # the same as root; or ssh=web1, ssh=web1//sudo …
//
// There are two questions. Did the function succeed? Its own error comes back, the same for errors.Is and errors.As.
// Did the box arrive at all? If not, that is a *box.DeliveryError, which says what failed, where, and what became of
// the function.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

func main() {
	delivery.Main()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("errors", flag.ContinueOnError)
	flags.SetOutput(stderr)
	text := flags.String("via", "self", "where the functions run: a transport in `spec` form")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	spec, err := transport.Parse(*text)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	far := delivery.OnceFor(spec)
	far.Stderr = stderr
	for _, show := range []func(io.Writer, box.Courier){
		typedError, ownTypes, everything, panicked, exited, cancelled,
	} {
		show(stdout, far)
	}
	undelivered(stdout)
	return 0
}

// typedError: errors of the standard library come back as what they were.
func typedError(w io.Writer, far box.Courier) {
	_, err := readFile.On(far)("/no/such/file")
	var path *fs.PathError
	fmt.Fprintln(w, "1. a typed error:", err)
	fmt.Fprintln(w, "   errors.Is fs.ErrNotExist:", errors.Is(err, fs.ErrNotExist))
	if errors.As(err, &path) {
		fmt.Fprintf(w, "   errors.As *fs.PathError: op %s, path %s\n", path.Op, path.Path)
	}
}

// ownTypes: so do the program's own, once they are registered.
func ownTypes(w io.Writer, far box.Courier) {
	err := withdraw.On(far)(120)
	var short *ShortError
	fmt.Fprintln(w, "2. the program's own:", err)
	fmt.Fprintln(w, "   errors.Is errRefused:", errors.Is(err, errRefused))
	if errors.As(err, &short) {
		fmt.Fprintln(w, "   errors.As *ShortError: missing", short.Missing)
	}
}

// everything: %+v prints the way, who ran the function, and where the error was made.
func everything(w io.Writer, far box.Courier) {
	err := withdraw.On(far)(120)
	fmt.Fprintf(w, "3. all that is known about it:\n%+v\n", err)
}

// panicked: a panic of the function does not take the worker with it, and its value survives the trip.
func panicked(w io.Writer, far box.Courier) {
	_, err := third.On(far)([]int{1, 2})
	var p *box.PanicError
	var r runtime.Error
	fmt.Fprintln(w, "4.", err)
	fmt.Fprintln(w, "   errors.As *box.PanicError:", errors.As(err, &p))
	fmt.Fprintln(w, "   errors.As runtime.Error:", errors.As(err, &r))
}

// exited: a function that calls os.Exit ends its worker, not the caller.
func exited(w io.Writer, far box.Courier) {
	err := quit.On(far)(3)
	var remote *box.RemoteError
	fmt.Fprintln(w, "5. os.Exit:", err)
	if errors.As(err, &remote) {
		fmt.Fprintf(w, "   %s, with status %d\n", remote.Kind, remote.Code)
	}
}

// cancelled: the function's context ends with the caller's.
func cancelled(w io.Writer, far box.Courier) {
	ctx, cancel := context.WithCancel(context.Background())
	defer time.AfterFunc(200*time.Millisecond, cancel).Stop() // somebody presses Ctrl-C, say
	err := wait.On(far)(ctx)
	fmt.Fprintln(w, "6. cancelled:", err)
	fmt.Fprintln(w, "   errors.Is context.Canceled:", errors.Is(err, context.Canceled))
	var late *box.DeliveryError
	if errors.As(err, &late) { // it did not return by itself within Once.Grace, or was not there yet
		fmt.Fprintln(w, "   the function:", late.Fate)
	}
}

// undelivered: no right to go there. The function did not run, and the error names the hop that refused.
func undelivered(w io.Writer) {
	nobody := transport.Chain{transport.Sudo{User: "nobody"}, transport.Sudo{}} // who may nothing
	_, err := readFile.On(delivery.Once{Via: nobody})("/etc/shadow")
	var undelivered *box.DeliveryError
	var why *box.TransportError
	fmt.Fprintln(w, "7. not delivered:", err)
	if errors.As(err, &undelivered) {
		fmt.Fprintf(w, "   while: %s; the function: %s\n", undelivered.Op, undelivered.Fate)
	}
	if errors.As(err, &why) {
		fmt.Fprintf(w, "   hop %s: %s\n", why.Hop, why.Reason)
	}
}
