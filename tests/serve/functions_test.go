//go:build linux

package serve

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// Who is who runs a function.
type Who struct{ UID, PID, Parent int }

var (
	whoami   = registry.Register("whoami", func() (Who, error) { return Who{os.Getuid(), os.Getpid(), os.Getppid()}, nil })
	other    = registry.Register("other", func() (int, error) { return 7, nil })
	pause    = registry.Register("pause", pauseFor)
	stubborn = registry.Register("stubborn", ignoreEverything)
)

// pauseFor says that it runs, and ends after a time, whatever happens to its context.
func pauseFor(ctx context.Context, d time.Duration) (string, error) {
	fmt.Fprintln(delivery.Stdout(ctx), "running")
	time.Sleep(d)
	return "done", nil
}

// ignoreEverything leaves children, says that it runs, and never ends by itself.
func ignoreEverything(ctx context.Context) error {
	for range 2 {
		if err := exec.Command(stage.Leftover[0], stage.Leftover[1:]...).Start(); err != nil { //nolint:noctx // it is to stay
			return err
		}
	}
	fmt.Fprintln(delivery.Stdout(ctx), "running", os.Getpid())
	for {
		time.Sleep(time.Hour)
	}
}

// A watcher closes itself when a word was written.
type watcher struct {
	word  string
	found chan struct{}
	done  bool
}

func watch(word string) *watcher { return &watcher{word: word, found: make(chan struct{})} }

// Write is called for one write at a time.
func (w *watcher) Write(p []byte) (int, error) {
	if !w.done && len(p) >= len(w.word) && string(p[:len(w.word)]) == w.word {
		w.done = true
		close(w.found)
	}
	return len(p), nil
}
