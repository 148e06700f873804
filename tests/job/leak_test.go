//go:build linux

package job

import (
	"fmt"
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A worker that has started and followed many jobs holds nothing of them.
func TestNothingIsHeld(t *testing.T) {
	s, err := delivery.Open(t.Context(), transport.Self{}, session.Options{Stdout: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	info := must(s.Info(t.Context()))
	held := func() (goroutines, files int) {
		list, err := st.Root.ReadDir(fmt.Sprintf("/proc/%d/fd", info.PID))
		if err != nil {
			t.Fatal(err)
		}
		return must(s.Status(t.Context())).Goroutines, len(list)
	}
	play := func(n int) {
		for i := range n {
			j, err := job.Start(t.Context(), s, count, Counting{Seed: i, Lines: 5})
			if err != nil {
				t.Fatalf("%+v", err)
			}
			output(t, &j.Handle, true)
			if _, err := j.Wait(t.Context()); err != nil {
				t.Errorf("%+v", err)
			}
			if err := j.Acknowledge(t.Context()); err != nil {
				t.Errorf("%+v", err)
			}
		}
	}
	play(10)
	goroutines, files := held()
	play(sized(50, 1000))
	// Who waits for the end of a keeper's process may be a moment behind.
	eventually(t, "all is given back", func() bool {
		g, f := held()
		return g <= goroutines+1 && f <= files+1
	})
}
