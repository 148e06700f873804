package keeper

import (
	"fmt"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/store"
)

// Drop ends a job that was claimed and has not begun.
func Drop(j *store.Job) error {
	now := time.Now()
	err := fmt.Errorf("%w before it began", errCancelled)
	return j.Finish(&store.Result{
		Began: now, Ended: now, Outcome: store.Cancelled, Error: err.Error(), Fault: box.EncodeFault(box.FaultOf(err)),
	}, nil)
}
