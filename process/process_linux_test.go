package process_test

import (
	"context"
	"errors"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

func TestGA15To19Life(t *testing.T) {
	c := role("signals")
	c.Outputs = []string{"out"}
	p := prepare(t, c)
	x := newText()
	if _, err := p.OnOutput("out", x.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stats(within(t), 0); !errors.Is(err, process.ErrNotStarted) { // GA-19
		t.Errorf("%v", err)
	}
	if _, err := p.Wait(within(t)); !errors.Is(err, process.ErrNotStarted) {
		t.Errorf("%v", err)
	}
	if p.Active() || p.PID() != 0 {
		t.Error("it is active before it is started")
	}
	before := time.Now()
	start(t, p)
	if err := p.Start(within(t)); err == nil {
		t.Error("started twice")
	}
	x.until(t, "START")
	i := p.Info() // GA-18
	if !p.Active() || !i.Active || i.Ended || i.PID != p.PID() || i.PID <= 0 || i.Path != c.Argv[0] || i.Config.Name != "signals" ||
		i.Created.Before(before) || !slices.Equal(i.Config.Outputs, c.Outputs) {
		t.Errorf("%+v", i)
	}
	s, err := p.Stats(within(t), 0)
	if err != nil || s.PID != p.PID() || s.Parent != os.Getpid() || s.RSS <= 0 || s.Cmdline[0] != c.Argv[0] {
		t.Errorf("%+v, %v", s, err)
	}
	short, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := p.Wait(short); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if s, err := p.Stop(within(t)); err != nil || !s.Success() {
		t.Errorf("%s, %v", &s, err)
	}
	if i := p.Info(); i.Active || !i.Ended || !i.State.Success() || i.State.PID != p.PID() || i.State.Ended.Before(i.State.Started) {
		t.Errorf("%+v", i)
	}
	if _, err := p.Stats(within(t), 0); !errors.Is(err, process.ErrDone) {
		t.Errorf("%v", err)
	}
	if s, err := p.Status(within(t)); s != "dead" || err != nil {
		t.Errorf("%q, %v", s, err)
	}
}

// TestGA52Dummy are gaffer's own tests of signals.
func TestGA25And26And52Signals(t *testing.T) {
	for _, c := range []struct {
		signal syscall.Signal
		want   string
	}{
		{syscall.SIGQUIT, "STARTQUITSTOP"}, {syscall.SIGTERM, "STARTSTOP"}, {syscall.SIGHUP, "STARTSIGHUP"}, {syscall.SIGUSR1, "STARTSIGUSR1"},
	} {
		config := role("signals")
		config.Outputs = []string{"out"}
		p := prepare(t, config)
		x := newText()
		var told []string
		p.Subscribe(process.TopicSignal, func(e process.Event) { told = append(told, e.Signal) })
		if _, err := p.OnOutput("out", x.hear); err != nil {
			t.Fatal(err)
		}
		start(t, p)
		x.until(t, "START")
		if err := p.Signal(within(t), c.signal); err != nil {
			t.Error(err)
		}
		x.until(t, c.want)
		if strings.HasSuffix(c.want, "STOP") {
			wait(t, p)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if err := p.Signal(within(t), c.signal); !errors.Is(err, process.ErrDone) {
			t.Errorf("after the end: %v", err)
		}
		if !slices.Equal(told, []string{process.SignalName(c.signal)}) || x.String() != c.want {
			t.Errorf("%q, %q", told, x)
		}
	}
}

func TestGA27Close(t *testing.T) {
	c := sh("sleep 1000 & echo $!; sleep 1000")
	x := newText()
	p := started(t, c, process.Stdio{Stdout: x})
	x.until(t, "\n")
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if s := wait(t, p); s.Signal != "SIGKILL" {
		t.Errorf("%s", &s)
	}
	child, err := strconv.Atoi(strings.TrimSpace(x.String()))
	if err != nil {
		t.Fatal(err)
	}
	gone(t, child)
	if _, err := p.Wait(within(t)); err != nil {
		t.Error(err)
	}
	never := prepare(t, c)
	if err := never.Close(); err != nil {
		t.Error(err)
	}
	if err := never.Start(within(t)); err == nil {
		t.Error("started after Close")
	}
}

// A process that ignores SIGTERM is killed after the grace, with its child, which does as well.
func TestGA29Grace(t *testing.T) {
	c := role("stubborn")
	c.Grace = process.Duration(50 * time.Millisecond)
	x := newText()
	p := started(t, c, process.Stdio{Stdout: x})
	x.until(t, "\n")
	begin := time.Now()
	if s, err := p.Stop(within(t)); err != nil || s.Signal != "SIGKILL" || time.Since(begin) < time.Duration(c.Grace) {
		t.Errorf("%s, %v after %s", &s, err, time.Since(begin))
	}
	child, err := strconv.Atoi(strings.TrimSpace(x.String()))
	if err != nil {
		t.Fatal(err)
	}
	gone(t, child)
	if process.DefaultGrace != 10*time.Second {
		t.Error("the default is not gaffer's")
	}
}

// A process that is stopped is told to end as well.
func TestGA29AStoppedProcess(t *testing.T) {
	c := process.Config{Cmdline: "sleep 1000", Grace: process.Duration(time.Hour)}
	p := started(t, c)
	if err := p.Signal(within(t), syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	if s, err := p.Stop(within(t)); err != nil || s.Signal != "SIGTERM" {
		t.Errorf("%s, %v", &s, err)
	}
}

// Others of the group have the grace too, when the process itself has ended; then they are killed.
func TestGA29TheGroupHasTheGrace(t *testing.T) {
	dir := t.TempDir()
	c := sh(`sh -c 'trap "sleep 0.2; echo bye >` + dir + `/bye; exit" TERM; echo ready; while :; do sleep 0.05; done' & sleep 1000`)
	x := newText()
	p := started(t, c, process.Stdio{Stdout: x})
	x.until(t, "ready")
	if s, err := p.Stop(within(t)); err != nil || s.Signal != "SIGTERM" {
		t.Errorf("%s, %v", &s, err)
	}
	if text, err := os.ReadFile(dir + "/bye"); err != nil || string(text) != "bye\n" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestGA29StopEndsWithItsContext(t *testing.T) {
	x := newText()
	c := role("stubborn")
	c.Grace = process.Duration(time.Hour)
	p := started(t, c, process.Stdio{Stdout: x})
	x.until(t, "\n")
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if s, err := p.Stop(ctx); err != nil || s.Signal != "SIGKILL" {
		t.Errorf("%s, %v", &s, err)
	}
}

// Processes with different graces that are stopped at once end in the order of these.
func TestGA30GraceOrder(t *testing.T) {
	var mu sync.Mutex
	var order []string
	var stops sync.WaitGroup
	for _, grace := range []time.Duration{2 * time.Second, 50 * time.Millisecond, time.Second} {
		c := role("stubborn")
		c.Name, c.Grace = grace.String(), process.Duration(grace)
		x := newText()
		p := started(t, c, process.Stdio{Stdout: x})
		x.until(t, "\n")
		stops.Go(func() {
			_, _ = p.Stop(within(t))
			mu.Lock()
			defer mu.Unlock()
			order = append(order, c.Name)
		})
	}
	stops.Wait()
	if !slices.Equal(order, []string{"50ms", "1s", "2s"}) {
		t.Errorf("%q", order)
	}
}

// A one-off is started and not kept alive.
func TestGA42OneOff(t *testing.T) {
	n := 0
	err := process.Host{}.Keep(within(t), process.Config{Cmdline: "true"}, process.Restart{OnFailure: true}, func(*process.Process) { n++ })
	if err != nil || n != 1 {
		t.Errorf("%v after %d", err, n)
	}
}

func TestRef(t *testing.T) {
	p := started(t, process.Config{Cmdline: "sleep 1000"})
	r := p.Ref()
	if again, err := r.Process(); err != nil || again != p || r.PID != p.PID() || p.Ref() != r {
		t.Errorf("%+v, %v", again, err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if _, err := r.Process(); !errors.Is(err, process.ErrDone) {
		t.Errorf("%v", err)
	}
	if _, err := (process.Ref{ID: "x"}).Process(); !errors.Is(err, process.ErrDone) {
		t.Errorf("%v", err)
	}
}

// Signals to processes that end meanwhile reach these, or nobody.
func TestSignalsAndEnds(t *testing.T) {
	for range 30 {
		p := started(t, process.Config{Cmdline: "true"})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					if err := p.Signal(context.Background(), syscall.SIGCONT); errors.Is(err, process.ErrDone) {
						return
					} else if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		all.Go(func() { _ = p.Kill(context.Background()) })
		wait(t, p)
		all.Wait()
	}
}
