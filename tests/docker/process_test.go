package docker

import (
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/process/processtest"
	"github.com/seed354a1416/deliveryboy/session"
)

// Processes and commands in a container with a shell, with a worker for all and with one for each.
func TestProcesses(t *testing.T) {
	into(t)
	via := through(shelled)
	s, err := delivery.Open(t.Context(), via, session.Options{Program: program})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer s.Close()
	t.Run("session", func(t *testing.T) {
		processtest.Run(t, processtest.Place{Courier: s, Warm: true, UID: 0, Other: true})
	})
	t.Run("once", func(t *testing.T) {
		if testing.Short() {
			t.Skip("a container's exec takes long")
		}
		processtest.Run(t, processtest.Place{Courier: delivery.Once{Via: via, Program: program}, UID: 0, Other: true})
	})
}
