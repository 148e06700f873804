package processtest

import (
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/registry"
)

// Resolve is a function that takes a process as its argument.
var Resolve = registry.Register("process.test.resolve", func(r process.Ref) (int, error) {
	p, err := r.Process()
	if err != nil {
		return 0, err
	}
	return p.PID(), nil
})
