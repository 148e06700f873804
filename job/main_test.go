package job_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// The examples run as an ordinary user in a private place, so that their jobs leave nothing on this machine.
func TestMain(m *testing.M) {
	delivery.Main()
	stage.Enter(stage.Options{})
	if code := m.Run(); code != 0 {
		os.Exit(code)
	}
	if err := goleak.Find(); err != nil {
		_, _ = os.Stderr.WriteString(err.Error() + "\n")
		os.Exit(1)
	}
}
