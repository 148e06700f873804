package job

import (
	"context"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/store"
)

// Limits say which jobs [Collect] takes away, of those that have ended or are lost. A zero field sets no limit.
type Limits struct {
	Age   time.Duration // those that ended longer ago
	Count int           // the oldest, until there are no more than so many
	Size  int64         // the oldest, until they take no more than so many bytes of disk
}

// Collected is what [Collect] did.
type Collected struct {
	Jobs int   // that were taken away
	Size int64 // bytes of disk that they took, about
	Left int   // jobs that are still there, in whatever phase
}

// Collect takes away what nobody came for: jobs whose Options.Keep is over, and those beyond the limits, damaged ones
// included. Jobs that wait or run stay.
func Collect(ctx context.Context, c box.Courier, l Limits) (Collected, error) {
	return collectThere.On(c)(ctx, l)
}

// over is when a job ended, or was lost at the latest.
func over(st *store.Status) time.Time {
	switch {
	case st.Result != nil:
		return st.Result.Ended
	case !st.Keeper.Began.IsZero():
		return st.Keeper.Began
	}
	return st.Submitted
}
