//go:build !linux

package job

import (
	"context"
	"errors"

	"github.com/seed354a1416/deliveryboy/job/spool"
)

// errSystem is what all functions give on a target where no keeper runs.
var errSystem = errors.New("job: jobs run on Linux targets only: elsewhere there is nothing that would end what a lost keeper leaves behind")

func startHere(ctx context.Context, data []byte) (pid int, existed bool, err error) {
	o, err := unpackOrder(data)
	if err == nil {
		err = o.check(ctx)
	}
	if err == nil {
		err = errSystem
	}
	return 0, false, err
}

func statusHere(context.Context, string) (Info, error) { return Info{}, errSystem }

func waitHere(context.Context, string) (ended, error) { return ended{}, errSystem }

func followHere(context.Context, string, spool.Offset, bool, chan<- spool.Piece) error {
	return errSystem
}

func orderHere(context.Context, string, string) (answer, error) { return answer{}, errSystem }

func listHere(context.Context) ([]Info, error) { return nil, errSystem }

func freeHere(context.Context, string, bool) error { return errSystem }

func collectHere(context.Context, Limits) (Collected, error) { return Collected{}, errSystem }
