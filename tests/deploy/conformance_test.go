package deploy

import (
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/box/couriertest"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/session"
)

// TestConformance: a worker whose program came along does what any other does. It takes minutes over all targets, which
// DEPLOY_FULL=1 asks for.
func TestConformance(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		if full() || tg.name == "self" {
			t.Run("once", func(t *testing.T) {
				couriertest.Run(t, func(*testing.T) box.Courier { return delivery.Once{Via: tg.via, Deploy: deploy.Options{On: true}} })
			})
		}
		if full() || tg.name == "sudo" {
			t.Run("session", func(t *testing.T) { sessions(t, tg, deploy.Options{On: true}) })
			t.Run("session, nothing kept", func(t *testing.T) { sessions(t, tg, deploy.Options{On: true, KeepNothing: true}) })
		}
	})
}

func sessions(t *testing.T, tg target, o deploy.Options) {
	couriertest.Run(t, func(t *testing.T) box.Courier {
		s, err := delivery.Open(t.Context(), tg.via, session.Options{Deploy: o})
		must(t, err)
		t.Cleanup(func() { must(t, s.Close()) })
		return s
	})
}
