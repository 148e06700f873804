package job

import (
	"fmt"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/store"
)

// The errors of jobs. They hold through errors.Is wherever the job is.
var (
	ErrNotFound   = store.ErrNotFound   // there is no such job, for the user that the target runs as: those of others do not show
	ErrFull       = store.ErrFull       // the target's disk takes no more jobs; the job was not started
	ErrDamaged    = store.ErrDamaged    // a file of the job is not what was written
	ErrNotEnded   = store.ErrNotEnded   // what is wanted needs a job that has ended
	ErrNotRunning = store.ErrNotRunning // what is wanted needs a function that runs
)

func init() {
	box.RegisterSentinel("job.ErrNotFound", ErrNotFound)
	box.RegisterSentinel("job.ErrFull", ErrFull)
	box.RegisterSentinel("job.ErrDamaged", ErrDamaged)
	box.RegisterSentinel("job.ErrNotEnded", ErrNotEnded)
	box.RegisterSentinel("job.ErrNotRunning", ErrNotRunning)
	box.RegisterSentinel("job.ErrOrdering", store.ErrOrdering)
}

// A LostError says that a job has no keeper any more, and no result: nobody knows what became of the function. What it
// had printed is still there.
type LostError struct{ Info Info }

func (e *LostError) Error() string {
	if e.Info.PID == 0 {
		return fmt.Sprintf("job %s: it was lost before it began: the function did not run", e.Info.ID)
	}
	return fmt.Sprintf("job %s: its keeper, process %d, is gone without a result: how far the function came is not known", e.Info.ID, e.Info.PID)
}

// A StartError says that nobody knows for sure whether a job was started. The same order under the same identifier, see
// Options.ID, starts it if it was not, and finds it if it was.
type StartError struct {
	ID  string
	Err error
}

func (e *StartError) Error() string { return fmt.Sprintf("job %s: start: %v", e.ID, e.Err) }

func (e *StartError) Unwrap() error { return e.Err }
