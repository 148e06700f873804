package kernel_test

import (
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
)

// TestGA39Events: what happens to sockets, values and processes, in its order, to who watches it.
func TestGA39Events(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("NOT TESTED: processes need Linux")
	}
	ctx := t.Context()
	c := kerneltest.Open(t)
	all, err := c.WatchEvents(ctx)
	must(t, err)
	exits, err := c.WatchEvents(ctx, "process.app.*.exit", "value.color.clear")
	must(t, err)
	_, err = c.MakeSocket(ctx, "web:1", kernel.SocketSpec{})
	must(t, err)
	_, err = c.MakeSocket(ctx, "web:1", kernel.SocketSpec{}) // that is there: nothing happens
	must(t, err)
	must(t, c.RemoveSockets(ctx, "web:1"))
	must(t, c.Set(ctx, "color", "red"))
	done, err := c.CompareAndSet(ctx, "color", "blue", "green", kernel.Change{})
	if done || err != nil {
		t.Fatal(done, err)
	}
	must(t, c.Set(ctx, "color", ""))
	p, w, err := c.StartWatching(ctx, "app.a", kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", "exit 3"}})
	must(t, err)
	for _, err := range w.Events(ctx) {
		must(t, err)
	}
	_, err = c.MakeProcess(ctx, "b", kernel.ProcessSpec{Args: []string{"/bin/sleep", "1000"}})
	must(t, err)
	must(t, c.SignalProcesses(ctx, "CONT", "b"))
	must(t, c.StopProcesses(ctx, 0, "b"))
	must(t, c.RemoveProcesses(ctx, "b"))

	want := strings.Fields(`socket.web:1.make socket.web:1.remove value.color.set value.color.clear
		process.app.a.start process.app.a.exit process.app.a.forget
		process.b.start process.b.signal process.b.stop process.b.exit process.b.remove process.b.forget`)
	var got []string
	for n, err := range all.All(ctx) {
		must(t, err)
		got = append(got, n.Kind+"."+n.Name+"."+n.What)
		if n.Name == "app.a" && n.What == "exit" && (n.Facts["exitcode"] != "3" || n.Facts["pid"] == "" || p.PID == 0) {
			t.Errorf("%+v of %+v", n, p)
		}
		if n.What == "signal" && n.Facts["signal"] != "SIGCONT" {
			t.Errorf("%+v", n)
		}
		if len(got) == len(want) {
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%q\nnot %q", got, want)
	}
	got = nil
	for n, err := range exits.All(ctx) {
		must(t, err)
		if got = append(got, n.Name+" "+n.What); len(got) == 2 {
			break
		}
	}
	if !slices.Equal(got, []string{"color clear", "app.a exit"}) {
		t.Errorf("%q", got)
	}
	must(t, exits.Close(ctx))
	if _, err := exits.Read(ctx); !errors.Is(err, io.EOF) {
		t.Errorf("after the end: %v", err)
	}
	must(t, all.Close(ctx))
	if _, err := c.WatchEvents(ctx, "processes.web"); !errors.Is(err, kernel.ErrUsage) || !strings.Contains(err.Error(), "KIND.NAME.WHAT") {
		t.Errorf("a bad pattern: %v", err)
	}
}

// TestGA39SlowWatcher: who does not read misses events, and is told how many; nobody waits for it.
func TestGA39SlowWatcher(t *testing.T) {
	ctx := t.Context()
	c := kerneltest.Open(t)
	w, err := c.WatchEvents(ctx, "value")
	must(t, err)
	const n = 10_000
	for range n {
		must(t, c.Set(ctx, "v", "x"))
	}
	must(t, c.Set(ctx, "last", "x"))
	heard, missed := 0, 0
	for e, err := range w.All(ctx) {
		must(t, err)
		if e.What == kernel.Missed {
			missed += int(e.Count)
		} else if heard++; e.Name == "last" {
			break
		}
	}
	if heard+missed != n+1 || missed == 0 {
		t.Errorf("%d events and %d missed, of %d", heard, missed, n+1)
	}
	must(t, w.Close(ctx))
}
