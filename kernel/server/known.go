package server

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/sdnotify"
	"github.com/seed354a1416/deliveryboy/kernel"
)

// knownTime is how long a kernel that runs may take to say who its holder is: it may just get a new one.
const knownTime = 20 * time.Second

// makeKnown is for a process that a service manager has started as the kernel, where one runs: its holder has died, which was
// the process that the manager watched, and its server has become the holder. The manager is told to watch that one.
func makeKnown(set kernel.Settings, manager *sdnotify.Manager) error {
	ctx, cancel := context.WithTimeout(context.Background(), knownTime)
	defer cancel()
	for {
		holder, err := holderOf(ctx, set)
		if err == nil {
			fmt.Fprintf(os.Stderr, "deliveryboy: kernel: it runs already, as process %d: the service goes on as that\n", holder)
			return manager.Tell("READY=1", "MAINPID="+strconv.Itoa(holder))
		}
		select {
		case <-ctx.Done():
			return err
		case <-time.After(20 * time.Millisecond): // that it has a holder again nobody tells
		}
	}
}

// holderOf asks the kernel of these settings for its holder.
func holderOf(ctx context.Context, set kernel.Settings) (pid int, err error) {
	c, err := kernel.Open(ctx, kernel.Options{Socket: set.Socket})
	if err != nil {
		return 0, err
	}
	defer func() { _ = c.Close() }()
	facts, err := c.Status(ctx)
	if err != nil {
		return 0, err
	}
	if facts["state"] != set.State {
		return 0, fmt.Errorf("the kernel at %s has its state in %s", set.Socket, facts["state"])
	}
	if pid, err = strconv.Atoi(facts["holder"]); err != nil {
		return 0, fmt.Errorf("its holder is %s", facts["holder"])
	}
	return pid, nil
}
