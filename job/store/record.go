package store

import (
	"time"

	"github.com/seed354a1416/deliveryboy/job/spool"
)

// A Record is what was ordered. It is durable before anybody hears that the job was taken.
type Record struct {
	ID        string
	Func      string    // the registered name
	Name      string    `json:",omitempty"` // for people
	Submitter string    `json:",omitempty"` // who says to have ordered it
	Submitted time.Time // on this machine's clock

	After   time.Time     `json:",omitzero"`  // it does not run before
	Timeout time.Duration `json:",omitempty"` // of each attempt; 0: none
	Grace   time.Duration `json:",omitempty"` // of a cancelled function; 0: the default of a worker
	Tries   int           `json:",omitempty"` // how often it may run; 0 and 1: once
	Pause   time.Duration `json:",omitempty"` // between two tries, doubled each time
	Keep    time.Duration `json:",omitempty"` // how long it stays when it has ended; 0: until somebody takes it away
	Forget  bool          `json:",omitempty"` // it goes away as soon as it has ended

	Program string `json:",omitempty"` // the fingerprint of the functions of the program that ordered it: only that one can run it
	Queue   string `json:",omitempty"` // empty: it runs at once
	Slots   int    `json:",omitempty"` // how many jobs of the queue may run

	Output int64 `json:",omitempty"` // bytes of output that are kept
	Oldest bool  `json:",omitempty"` // when there is more, the oldest stays, not the newest

	Dir   string   // the function's directory
	Umask int      // and umask
	Nice  int      `json:",omitempty"` // and priority
	Env   []string `json:",omitempty"` // and what is in its environment besides the usual
}

// A Keeper is who keeps a job, and how far the job is.
type Keeper struct {
	Process
	Began   time.Time `json:",omitzero"` // of the attempt
	Attempt int       // from 1 on; 0: it waits for its time
}

// A Result is how a job ended. What the function returned is beside it, as the segments of a reply.
type Result struct {
	Began, Ended time.Time
	Attempts     int
	Outcome      Outcome
	Error        string       `json:",omitempty"` // in one line, for people
	ExitCode     int          `json:",omitempty"` // of a function that ended its process
	Signal       string       `json:",omitempty"` // that ended it
	Fault        []byte       `json:",omitempty"` // the error, where there is no reply; see box.DecodeFault
	Output       spool.Offset // behind the last of it
	Dropped      int64        `json:",omitempty"` // bytes of output that were not kept
}

// An Outcome is how a job ended, in a word.
type Outcome string

// The outcomes.
const (
	Returned  Outcome = "returned"  // without an error
	Failed    Outcome = "failed"    // with an error of the function
	Crashed   Outcome = "crashed"   // the function panicked, exited, or was ended by a signal
	Cancelled Outcome = "cancelled" // by somebody
	TimedOut  Outcome = "timed out" // it had its Timeout
	Broken    Outcome = "broken"    // the function could not be run
)

// A Phase is how far a job is.
type Phase string

// The phases.
const (
	Waiting Phase = "waiting" // for its turn or its time
	Running Phase = "running"
	Ended   Phase = "ended" // there is a result
	Lost    Phase = "lost"  // whoever kept it is gone, and there is no result: what became of the function is not known
)

// A Status is what there is to know of a job without asking who keeps it.
type Status struct {
	Record
	Phase  Phase
	Keeper Keeper  // who keeps it, or did; zero if nobody has yet
	Result *Result // nil until it has ended
}
