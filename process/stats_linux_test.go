package process_test

import (
	"context"
	"os"
	"os/user"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

func TestGA20Stats(t *testing.T) {
	x := newText()
	c := sh("sleep 1000 & echo $!; while :; do :; done")
	c.Nice = 3
	p := started(t, c, process.Stdio{Stdout: x})
	x.until(t, "\n")
	s, err := p.Stats(within(t), 50*time.Millisecond)
	for deadline := time.Now().Add(patience); err == nil && (s.CPU == 0 || s.Status != "running") && time.Now().Before(deadline); {
		s, err = p.Stats(within(t), 50*time.Millisecond) // others want the CPU too
	}
	if err != nil {
		t.Fatal(err)
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if s.Username != me.Username || s.Nice != 3 || s.Threads != 1 || s.Files < 3 || s.Parent != os.Getpid() || s.Name != "sh" ||
		s.RSS <= 0 || s.VMS < s.RSS || s.Memory <= 0 || s.CPU <= 0 || s.CPUTime <= 0 || s.Status != "running" {
		t.Errorf("%+v", s)
	}
	if want := strings.TrimSpace(x.String()); len(s.Children) != 1 || want != strconv.Itoa(s.Children[0]) {
		t.Errorf("children %v, not %s", s.Children, want)
	}
	if s.MemoryText() != process.Human(s.RSS) || s.VirtualText() != process.Human(s.VMS) || s.CPUText() != process.Clock(s.CPUTime) {
		t.Error("other words")
	}
	own, err := process.OwnStats(context.Background(), 20*time.Millisecond)
	if err != nil || own.PID != os.Getpid() || own.Parent != os.Getppid() || own.Threads < 2 || !slices.Contains(own.Children, p.PID()) {
		t.Errorf("%+v, %v", own, err)
	}
	if _, err := process.StatsOf(context.Background(), 1<<30, 0); err == nil {
		t.Error("a process that is none")
	}
}

func TestGA21Status(t *testing.T) {
	p := started(t, process.Config{Cmdline: "sleep 1000"})
	for _, c := range []struct {
		signal string
		want   string
	}{{"STOP", "stopped"}, {"CONT", "sleeping"}} {
		sig, err := process.ParseSignal(c.signal)
		if err == nil {
			err = p.Signal(within(t), sig)
		}
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for deadline := time.Now().Add(patience); got != c.want && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			if got, err = p.Status(within(t)); err != nil {
				t.Fatal(err)
			}
		}
		if got != c.want {
			t.Errorf("%s: %q, not %q", c.signal, got, c.want)
		}
	}
}

func TestGA22To24Monitor(t *testing.T) {
	p := prepare(t, process.Config{Cmdline: "sleep 1000"})
	if _, err := p.Monitor(0, func(process.Event) {}); err == nil {
		t.Error("monitored before the start")
	}
	start(t, p)
	a, b := make(chan process.Event, 1000), make(chan process.Event, 1000)
	endA, err := p.Monitor(5*time.Millisecond, func(e process.Event) { a <- e })
	if err != nil {
		t.Fatal(err)
	}
	endB, err := p.Monitor(time.Hour, func(e process.Event) { b <- e }) // has what the eager one has
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if e := <-a; e.Topic != process.TopicStat || e.Stats == nil || e.Stats.PID != p.PID() || e.PID != p.PID() {
			t.Errorf("%+v", e)
		}
	}
	<-b
	if n := p.Monitored(); n != 2 {
		t.Errorf("%d monitor", n)
	}
	endA()
	endA()
	if n := p.Monitored(); n != 1 {
		t.Errorf("%d monitor", n)
	}
	endB()
	if n := p.Monitored(); n != 0 {
		t.Errorf("%d monitor", n)
	}
	// Anew, up to the end of the process.
	if _, err := p.Monitor(5*time.Millisecond, func(e process.Event) { a <- e }); err != nil {
		t.Fatal(err)
	}
	<-a
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if n := p.Monitored(); n != 0 {
		t.Errorf("%d monitor what has ended", n)
	}
	if _, err := p.Monitor(0, func(process.Event) {}); err == nil {
		t.Error("monitored after the end")
	}
}

// gaffer's refcount test: with the last listener the sampler ends. It took the wrong one away.
func TestGA23And52Refcount(t *testing.T) {
	p := started(t, process.Config{Cmdline: "sleep 1000"})
	var heard atomic.Int64
	one := make(chan struct{}, 1000)
	end, err := p.Monitor(time.Millisecond, func(process.Event) {
		heard.Add(1)
		one <- struct{}{}
	})
	if err != nil {
		t.Fatal(err)
	}
	<-one
	end()
	other := make(chan struct{}, 1000)
	end2, err := p.Monitor(time.Millisecond, func(process.Event) { other <- struct{}{} })
	if err != nil {
		t.Fatal(err)
	}
	<-other // whatever was on its way to the first one has been heard
	before := heard.Load()
	for range 5 {
		<-other
	}
	end2()
	if heard.Load() != before {
		t.Error("who ended hears on")
	}
}

// The first measurement has the CPU since the start: it needs no one before it.
func TestGA50Primed(t *testing.T) {
	p := started(t, sh("while :; do :; done"))
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); {
		own, err := process.StatsOf(within(t), p.PID(), 0)
		if err != nil {
			t.Fatal(err)
		}
		if own.CPUTime > 30*time.Millisecond {
			break
		}
		time.Sleep(time.Millisecond)
	}
	s, err := p.Stats(within(t), 0)
	if err != nil || s.CPU <= 0 || s.CPU > 200 {
		t.Errorf("%g %%, %v", s.CPU, err)
	}
}
