package job

import (
	"time"

	"github.com/seed354a1416/deliveryboy/job/spool"
	"github.com/seed354a1416/deliveryboy/job/store"
)

// A Phase is how far a job is.
type Phase = store.Phase

// The phases.
const (
	Waiting = store.Waiting // for its turn in a queue, or for its time
	Running = store.Running
	Ended   = store.Ended // there is a result
	Lost    = store.Lost  // its keeper is gone, and there is no result: what became of the function is not known
	Damaged = Phase("damaged")
)

// An Outcome is how a job ended, in a word.
type Outcome = store.Outcome

// The outcomes.
const (
	Returned  = store.Returned  // without an error
	Failed    = store.Failed    // with an error of the function's own
	Crashed   = store.Crashed   // the function panicked, exited, or was ended by a signal
	Cancelled = store.Cancelled // by somebody
	TimedOut  = store.TimedOut  // it had its Timeout
	Broken    = store.Broken    // the function could not be run
)

// Info is what there is to know of a job without its arguments and its result.
type Info struct {
	ID        string
	Func      string
	Name      string // for people; may be empty
	Submitter string // who says to have ordered it
	Queue     string // that it went through; may be empty
	Phase     Phase

	Submitted time.Time // these are on the target's clock
	Began     time.Time // the last attempt; zero if it has not begun
	Ended     time.Time // zero until it has

	PID      int     // of the keeper, on the target; 0 if there is none yet
	Attempts int     // how often it has begun
	Outcome  Outcome // empty until it has ended
	Error    string  // in a line; what Wait returns has more
	ExitCode int     // of a function that ended its process
	Signal   string  // that ended it
	Output   Offset  // behind the last of its output; zero until it has ended
	Dropped  int64   // bytes of output that were not kept
}

// An Offset is a place in the output of a job. The zero value is its beginning.
type Offset = spool.Offset

func infoOf(st *store.Status) Info {
	i := Info{
		ID: st.ID, Func: st.Func, Name: st.Name, Submitter: st.Submitter, Queue: st.Queue, Phase: st.Phase,
		Submitted: st.Submitted, Began: st.Keeper.Began, PID: st.Keeper.PID, Attempts: st.Keeper.Attempt,
	}
	if r := st.Result; r != nil {
		i.Began, i.Ended, i.Attempts = r.Began, r.Ended, r.Attempts
		i.Outcome, i.Error, i.ExitCode, i.Signal = r.Outcome, r.Error, r.ExitCode, r.Signal
		i.Output, i.Dropped = r.Output, r.Dropped
	}
	return i
}

// Stats are the processes of a job that runs, without its keeper; all zero if none does.
type Stats struct {
	WorkerPID int           // who runs the function
	Processes int           // the worker, its guardian, and what the function started
	Threads   int           // of all of them
	RSS       int64         // bytes of memory, of all of them
	CPU       time.Duration // that they used, and their children that have ended
	Suspended bool
}
