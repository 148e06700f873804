// Command install installs what the tests of the stage need and this machine lacks; see [stage.Install]
// and [stage.InstallForeign].
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/seed354a1416/deliveryboy/tests/stage"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := errors.Join(stage.Install(ctx, os.Stdout), stage.InstallForeign(ctx, os.Stdout))
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
