package session

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
)

// What the tests deliver. It all stands here, because the far side has to know it too.
var (
	whoami   = registry.Register("whoami", func() (Who, error) { return who() })
	again    = registry.Register("again", func() (Who, error) { return who() }, registry.Rules{Idempotent: true})
	echo     = registry.Register("echo", func(b []byte) []byte { return b })
	next     = registry.Register("next", func(n int) int { return n + 1 })
	add      = registry.Register("add", addTo)
	refuse   = registry.Register("refuse", func(_ context.Context, why string) (int, error) { return 0, errors.New(why) })
	wait     = registry.Register("wait", waitForEnd)
	stubborn = registry.Register("stubborn", ignoreEverything)
	hang     = registry.Register("hang", hangHere)
	exit     = registry.Register("exit", func(code int) error { os.Exit(code); return nil })
	caught   = registry.Register("caught", catchSignal)
	files    = registry.Register("files", openHere)
	forks    = registry.Register("forks", leaveChildren)
	held     = registry.Register("held", heldHere)
)

// Who is who runs a function.
type Who struct {
	UID, PID int
	Host     string
}

func who() (Who, error) {
	host, err := os.Hostname()
	return Who{os.Getuid(), os.Getpid(), host}, err
}

// total is what add adds to.
var total int

func addTo(_ context.Context, n int) (int, error) {
	total += n
	return total, nil
}

// waitForEnd says that it runs, and returns when its context ends.
func waitForEnd(ctx context.Context, running func() error) error {
	_ = running() // its answer may be late for a call that is cancelled
	<-ctx.Done()
	return ctx.Err()
}

// ignoreEverything never returns, ignores what can be ignored, and has children that hide: in sessions of their own, and
// as orphans of a parent that is gone.
func ignoreEverything(_ context.Context, running func() error) error {
	signal.Ignore(syscall.SIGTERM, syscall.SIGHUP, syscall.SIGINT)
	if err := leaveChildren(); err != nil {
		return err
	}
	_ = running() // its answer may be late for a call that is cancelled
	select {}
}

func leaveChildren() error {
	for _, argv := range [][]string{
		{"setsid", "-f", "sleep", "1000"},
		{"setsid", "-f", "sh", "-c", "trap '' TERM HUP INT; sleep 1000 & sleep 1000"},
		{"sh", "-c", "(setsid sh -c 'sleep 1000 & exec sleep 1000' &) &"},
	} {
		if err := exec.Command(argv[0], argv[1:]...).Run(); err != nil {
			return fmt.Errorf("%q: %w", argv, err)
		}
	}
	return exec.Command("sleep", "1000").Start()
}

// hangHere hangs in a place that a dump shows by name.
func hangHere(ctx context.Context, running func() error) error {
	_ = running() // its answer may be late for a call that is cancelled
	return hangingForTheDump(ctx)
}

//go:noinline
func hangingForTheDump(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// catchSignal returns the signal that its process gets.
func catchSignal(ctx context.Context, ready func() error) (string, error) {
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGUSR1)
	defer signal.Stop(c)
	_ = ready()
	select {
	case s := <-c:
		return s.String(), nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
}

// openHere are the worker's descriptors and what they are.
func openHere() ([]string, error) {
	entries, err := os.ReadDir("/proc/self/fd")
	var found []string
	for _, e := range entries {
		if to, err := os.Readlink("/proc/self/fd/" + e.Name()); err == nil {
			found = append(found, e.Name()+" "+to)
		}
	}
	return found, err
}

// Held is what a worker holds.
type Held struct {
	Files, Goroutines int
	Memory            Memory
}

func heldHere(collect bool) (Held, error) {
	if collect {
		runtime.GC()
		time.Sleep(time.Millisecond) // what just ended may still be on its way out
		if _, err := startPeak(); err != nil {
			return Held{}, err
		}
	}
	m, err := memory()
	if err != nil {
		return Held{}, err
	}
	entries, err := os.ReadDir("/proc/self/fd")
	return Held{len(entries), runtime.NumGoroutine(), m}, err
}
