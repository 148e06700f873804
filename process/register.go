package process

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
)

// FunctionName is what the function behind [On] and [Command] is registered as. Rules of sudo, and lists of functions that
// workers are narrowed to, name it so. Who may call it may run any program.
const FunctionName = "deliveryboy.process.run"

// ErrNotRegistered says that the program did not call [Register].
var ErrNotRegistered = errors.New("process: this program does not let couriers run programs: call process.Register() before delivery.Main")

var registered struct {
	sync.Mutex
	function *registry.Func[function]
}

type function = func(context.Context, task, io.Reader, io.Writer, io.Writer, <-chan order, chan<- report) (State, error)

// Register lets this program's workers run programs, for [On] and [Command]: it registers [FunctionName]. It is called
// before delivery.Main, in every copy of the program; more than once does no harm.
//
// It makes a worker that is not narrowed to other functions one that runs anything as its user. That is why the import of
// this package does not do it.
func Register() {
	registered.Lock()
	defer registered.Unlock()
	if registered.function == nil {
		f := registry.Register(FunctionName, run, registry.Rules{Doc: "run a program, with its streams, signals and measurements"})
		registered.function = &f
	}
}

func farFunction() (*registry.Func[function], error) {
	registered.Lock()
	defer registered.Unlock()
	if registered.function == nil {
		return nil, ErrNotRegistered
	}
	return registered.function, nil
}

// What a call can ask for besides a process.
const (
	askPath    = "path"
	askEnviron = "environ"
)

// A task is what the far side is to do.
type task struct {
	Ask    string // empty: run a process
	Config Config // without Outputs: its outputs are writers
	Merge  bool   // stdout and stderr are one
}

// What an order can be.
const (
	orderSignal    = "signal"
	orderTerminate = "terminate"
	orderKill      = "kill"
	orderStats     = "stats"
	orderWrite     = "write"
	orderClose     = "close"
	orderMute      = "mute"
)

// An order is something that a process, or its streams, are to be done. Each is answered by a report with its number.
type order struct {
	ID     uint64
	Do     string
	Signal string // by name: other systems have other numbers
	Grace  time.Duration
	Label  string
	Data   []byte
}

// maxData is how much an order, or a report, brings at most.
const maxData = 32 << 10

// A report is what the far side tells: that the process runs, what an order came to, or what a stream brings.
type report struct {
	ID    uint64 // of the order that it answers; 0: none
	Fault []byte // box.EncodeFault
	Stats *Stats
	Done  int // bytes written

	PID     int // of a process that runs now
	Path    string
	Ref     string
	Started time.Time
	Env     []string

	Label string // of a stream that brings Data
	Data  []byte
}
