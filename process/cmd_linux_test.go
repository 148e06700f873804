package process_test

import (
	"testing"

	"github.com/seed354a1416/deliveryboy/process/processtest"
)

// The suite in this process; tests/process has it over couriers.
func TestSuite(t *testing.T) { processtest.Run(t, processtest.Place{UID: -1}) }
