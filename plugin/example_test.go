package plugin_test

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/transport"
)

// The set "probe" is provided in an init function; transport.Sudo{} would make it root's.
func ExampleOpen() {
	ctx := context.Background()
	worker, err := plugin.Open(ctx, transport.Self{}, "probe")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer worker.Close()

	p, err := plugin.Dispense[probe](worker, "probe")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Do(ctx, "echo", "from a plugin"))
	fmt.Println(double.On(worker)(21)) // a registered function, in the same process
	// Output:
	// from a plugin <nil>
	// 42 <nil>
}

// A plugin that stays, and how another program comes back to it.
func ExampleStart() {
	ctx := context.Background()
	record, err := plugin.Start(ctx, delivery.Once{Via: transport.Self{}}, "probe")
	if err != nil {
		fmt.Println(err)
		return
	}
	text, _ := json.Marshal(record) // to be kept somewhere

	var kept plugin.Record
	_ = json.Unmarshal(text, &kept)
	again, err := plugin.Reattach(ctx, kept)
	if err != nil {
		fmt.Println(err)
		return
	}
	p, err := plugin.Dispense[probe](again, "probe")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(p.Do(ctx, "echo", "still there"))
	fmt.Println(again.Stop(ctx)) // or Close, and it stays
	// Output:
	// still there <nil>
	// <nil>
}
