package doctor_test

import (
	"context"
	"fmt"

	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A program says what is wrong before it blames its user. (Its main begins with delivery.Main, as that of every program that
// delivers.)
func ExampleExamine() {
	spec, err := transport.Parse("ssh=deploy@web1//sudo")
	if err != nil {
		fmt.Println(err)
		return
	}
	found, err := doctor.Examine(context.Background(), spec)
	for _, f := range found {
		fmt.Printf("%s: %s (%s): %s %s\n", f.Hop, f.What, f.Severity, f.Check, f.Fix)
	}
	if err != nil {
		fmt.Println("there is no worker:", err)
	}
}
