// Package delivery is the front door: it runs a registered Go function as another user, on another host or in a
// namespace of its own, as if it were a local call.
//
//	var chown = registry.Register("chown", os.Chown)
//
//	func main() {
//		delivery.Main() // in a delivered copy of this program: serve the call, then exit
//
//		root := delivery.Once{Via: transport.Sudo{}}
//		if err := chown.On(root)("/srv/app", 33, 33); err != nil {
//			log.Fatal(err)
//		}
//	}
//
// A call is packed with its arguments into a box and goes through the transport, here sudo, to a copy of this same
// program, which unpacks it, runs the function and sends back what came of it: results, output, error or panic.
//
// [Once] starts a worker for every call; [Open] starts one for many calls, a session:
//
//	web, err := delivery.Open(ctx, transport.Chain{transport.SSH{Host: "web1"}, transport.Sudo{}})
//
// # What travels
//
// Arguments and results travel by value, most of them encoded with encoding/gob; package box lists what gob would change
// and what is done about it. What cannot travel is refused when the function is registered.
//
// Arguments of type io.Reader, io.Writer, <-chan T, chan<- T, func, *slog.Logger, fs.FS, *os.File and *channel.Channel[T],
// and results of type io.ReadCloser, *os.File and *channel.Channel[T], stay where they are: the function gets a stand-in that
// works while the call runs. Package channel lists what each of them does.
//
// # What a far function finds
//
// Its directory is "/", its umask 077, its PATH the system's, and its environment holds HOME, USER, LOGNAME, SHELL,
// LANG, LC_*, TZ, TERM and nothing else of the caller; [Once] has fields for all of these. Its stdin is empty; what it
// or its children write to stdout and stderr arrives at the caller's while it runs. It runs in a session of its own.
// When it returns, in a session when that ends, or when its caller is gone, the processes that it started and did not wait
// for are killed: nothing privileged is left behind.
package delivery

import (
	"os"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/internal/askpass"
	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/internal/trampoline"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport/handover"
	"github.com/seed354a1416/deliveryboy/worker"
)

// Main has to be the first thing in main, and in TestMain of tests that deliver. In a delivered copy of the program it
// serves and exits; otherwise it returns at once. Functions cannot be registered after it.
func Main() {
	registry.Seal()
	switch {
	case worker.Asked(os.Args):
		worker.Main(os.Args)
	case detached.Asked(os.Args):
		detached.Main(os.Args)
	case trampoline.Asked(os.Args):
		trampoline.Main(os.Args)
	case deploy.Asked(os.Args):
		deploy.Main(os.Args)
	case handover.Asked(os.Args):
		handover.Main(os.Args)
	case askpass.Asked(os.Args):
		askpass.Main()
	}
}

// Wrap returns fn as it is called through c, under the name of its Go symbol, such as "os.Chown":
//
//	var chown = delivery.Wrap(os.Chown, delivery.Once{Via: transport.Sudo{}})
//
// It is registry.RegisterSymbol and Func.On in one, and belongs, like these, in the declaration of a package variable.
func Wrap[F any](fn F, c box.Courier) F {
	return registry.RegisterSymbol(fn).On(c)
}

// WorkerArgv is the argv of a worker before any transport: the program, the verb and, if names are given, the functions
// that it is narrowed to. A sudoers rule may name it to the letter.
func WorkerArgv(program string, names ...string) []string {
	return wire.Argv(program, names...)
}
