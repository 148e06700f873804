//go:build linux

package child

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"testing"

	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// TestNoGoroutineForWhatIsQuiet: processes that have nothing to say and do not end take none.
func TestNoGoroutineForWhatIsQuiet(t *testing.T) {
	table := open(t)
	const many = 50
	before := runtime.NumGoroutine()
	for i := range many {
		spec := sh(fmt.Sprint("a", i), "read x; echo $x; echo $x >&2; exit 4")
		spec.Stdin = Pipe
		table.must(t, spec)
	}
	eventually(t, "they are quiet", func() bool { return runtime.NumGoroutine() < before+many/2 })
	for _, p := range table.all() {
		if _, err := p.stdin.WriteString("said\n"); err != nil {
			t.Fatal(err)
		}
	}
	for name, got := range drainAll(t, table.watch(t, "", "a*")) {
		if got.out.String() != "said\n" || got.err.String() != "said\n" || got.code != 4 || got.closed != 1 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestStreamInBursts: what comes after a stream was quiet is recorded as what came before, up to its end.
func TestStreamInBursts(t *testing.T) {
	table := open(t)
	spec := sh("a", "while read x; do echo $x; done; printf end")
	spec.Stdin = Pipe
	table.must(t, spec)
	p := table.all()[0]
	want := ""
	w := table.watch(t, "", "a")
	for i := range 300 {
		line := fmt.Sprintln(i)
		want += line
		if _, err := p.stdin.WriteString(line); err != nil {
			t.Fatal(err)
		}
		if i%3 == 0 { // else several come at once, or while somebody looks
			eventually(t, "it has come", func() bool { p.flow.mu.Lock(); defer p.flow.mu.Unlock(); return !p.flow.busy })
		}
	}
	p.stdin.Close()
	if got := drainAll(t, w)["a"]; got.out.String() != want+"end" || got.closed != 1 {
		t.Errorf("%d bytes of %d", got.out.Len(), len(want)+3)
	}
}

// TestStarts: processes have the start that the system tells, also those of which it was not asked.
func TestStarts(t *testing.T) {
	table := open(t)
	for i := range 50 {
		table.must(t, sh(fmt.Sprint("a", i), "sleep 1000"))
	}
	for _, p := range table.all() {
		if told := holder.StartOf(p.run.PID); p.run.Start != told || told == 0 {
			t.Errorf("process %d started at %d, and not at %d", p.run.PID, told, p.run.Start)
		}
	}
}

// TestStreamsInTheirOrder: what came to one stream before something came to the other is recorded before it, also if nobody
// looks until both are there.
func TestStreamsInTheirOrder(t *testing.T) {
	table := open(t)
	for i := range 60 {
		first, second := "out:x", "err:x"
		script := "echo x; echo x >&2"
		if i%2 == 1 {
			first, second, script = second, first, "echo x >&2; echo x"
		}
		name := fmt.Sprint("a", i)
		table.must(t, sh(name, script))
		if got := order(t, table.watch(t, "", name)); !slices.Equal(got, []string{first, second, "closed:0 true"}) {
			t.Errorf("%s: %q", script, got)
		}
	}
}

// TestClosedIsNoEnd: a process whose descriptor this server has closed, as it ends, is not one that has ended somehow.
func TestClosedIsNoEnd(t *testing.T) {
	table := open(t)
	table.must(t, sh("a", "sleep 1000"))
	p := table.all()[0]
	pidfd, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	pidfd.Close()
	if _, err := ownChild(pidfd); !errors.Is(err, os.ErrClosed) {
		t.Errorf("its end: %v", err)
	}
	if err := table.lookout.add(p, theEnd, pidfd); !errors.Is(err, os.ErrClosed) {
		t.Errorf("to watch it: %v", err)
	}
}
