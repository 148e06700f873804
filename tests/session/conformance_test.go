package session

import (
	"os"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/session"
)

// TestConformance holds every courier to the same suite: functions in this process, a worker for each call, a warm one.
func TestConformance(t *testing.T) {
	t.Run("in this process", func(t *testing.T) {
		couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{} })
	})
	for _, tg := range targets() {
		t.Run("once/"+tg.name, func(t *testing.T) {
			tg.need(t)
			if tg.alike && !full() {
				t.Skip("as another one of these; SESSION_FULL=1 runs it")
			}
			couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: tg.via, Stderr: &races} })
		})
		t.Run("session/"+tg.name, func(t *testing.T) {
			tg.need(t)
			couriertest.Run(t, func(t *testing.T) box.Courier { return open(t, tg, session.Options{}) })
		})
	}
}

func TestWhoRunsIt(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		got, err := whoami.On(open(t, tg, session.Options{}))()
		must(t, err)
		want := tg.uid
		if want < 0 {
			want = os.Getuid()
		}
		if got.UID != want || got.PID == os.Getpid() {
			t.Errorf("ran as %+v; want uid %d and another process", got, want)
		}
	})
}
