package main

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
)

// TestMain lets the test binary be the server, as the program is.
func TestMain(m *testing.M) {
	pool.Register()
	delivery.Main()
	if len(os.Args) == 5 && os.Args[1] == "-serve" {
		if err := playServer(os.Args[2], 2); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	flag.Parse()
	os.Exit(m.Run())
}

// EB-29: many clients, no pause, and no command fails. How fast it is is no matter here.
func TestEB29Load(t *testing.T) {
	for _, each := range []bool{false, true} {
		var out bytes.Buffer
		s := settings{clients: 4, size: 2, lasts: 300 * time.Millisecond, each: each}
		if err := run(s, &out); err != nil {
			t.Fatalf("%v\n%s", err, out.String())
		}
		for _, want := range []string{"4 clients", "0 failed", "99%"} {
			if !strings.Contains(out.String(), want) {
				t.Errorf("no %q in %s", want, out.String())
			}
		}
	}
}

func TestFailuresAreSeen(t *testing.T) {
	var out bytes.Buffer
	err := run(settings{socket: "/does/not/exist/pool.sock", clients: 1, size: 1, lasts: 20 * time.Millisecond}, &out)
	if err == nil || !strings.Contains(out.String(), "no such file") {
		t.Errorf("%v, %s", err, out.String())
	}
}
