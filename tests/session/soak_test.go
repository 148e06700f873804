package session

import (
	"os"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
)

// drift is what a side's memory may change by over many calls.
const drift = 5 << 20

// keptGoroutines is how many more than before there may be: as many as a worker keeps when it is idle.
const keptGoroutines = 64

// TestSoakWarm makes many calls on one session: nothing grows on either side.
func TestSoakWarm(t *testing.T) {
	s := sudoSession(t, session.Options{})
	calls := sized(2000, 20_000)
	payload := make([]byte, 4<<10)
	some := func(n int) {
		for i := range n {
			if next.On(s)(i) != i+1 || len(echo.On(s)(payload)) != len(payload) {
				t.Fatal("a wrong answer")
			}
		}
	}
	some(calls / 2) // until pools and buffers are what they will be
	here, before := used(t), now(t)
	there, err := held.On(s)(true)
	must(t, err)
	begin := time.Now()
	some(calls / 2)
	t.Logf("%d calls in %s", calls, time.Since(begin))
	after, err := held.On(s)(true)
	must(t, err)
	here.remains(t, "warm calls")
	// A worker keeps goroutines for calls to come: one more when a call came before the last one had quite ended.
	if after.Files > there.Files || after.Goroutines > there.Goroutines+keptGoroutines {
		t.Errorf("the worker: %+v, before %+v", after, there)
	}
	steady(t, "caller", before, now(t))
	steady(t, "worker", there.Memory.Now, after.Memory.Now)
}

// TestSoakCold starts a worker through sudo for each of many calls.
func TestSoakCold(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	root := delivery.Once{Via: targetNamed("sudo").via, Stderr: &races}
	some := func(n int) {
		for range n {
			if got, err := whoami.On(root)(); err != nil || got.UID != 0 {
				t.Fatalf("%+v, %v", got, err)
			}
		}
	}
	calls := sized(50, 2000)
	some(calls / 2)
	here, before := used(t), now(t)
	begin := time.Now()
	some(calls / 2)
	t.Logf("%d calls in %s", calls/2, time.Since(begin))
	here.remains(t, "cold calls")
	steady(t, "caller", before, now(t))
	if children, err := st.Children(os.Getpid()); err != nil || len(children) > 0 {
		t.Errorf("children are left: %v, %v", children, err)
	}
	st.WaitForSurvivors(t, 0, tooLong, "cold calls")
}

// now is this process's memory after a collection.
func now(t *testing.T) int64 {
	t.Helper()
	m, err := startPeak()
	must(t, err)
	return m.Now
}

func steady(t *testing.T, who string, before, after int64) {
	t.Helper()
	t.Logf("%s: from %s to %s", who, mib(before), mib(after))
	if after-before > drift && !raced {
		t.Errorf("the memory of the %s went from %s to %s; the limit is %s more", who, mib(before), mib(after), mib(drift))
	}
}
