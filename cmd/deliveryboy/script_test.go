package main

import (
	"os"
	"os/exec"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/seed354a1416/deliveryboy/delivery"
)

// TestMain makes the test binary the command, and its worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "__deliver" {
		delivery.Main()
	}
	testscript.Main(m, map[string]func(){"deliveryboy": main, "exits": expectStatus})
}

// expectStatus runs a command and succeeds if it ends with the status that is its first argument.
func expectStatus() {
	cmd := exec.Command(os.Args[2], os.Args[3:]...) //nolint:noctx // a script ends it
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	_ = cmd.Run()
	if got := cmd.ProcessState.String(); got != "exit status "+os.Args[1] {
		println("want exit status", os.Args[1]+", got", got)
		os.Exit(1)
	}
}

func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Condition: func(cond string) (bool, error) {
			_, err := os.Stat("/usr/bin/sudo")
			return cond == "rootsudo" && err == nil && os.Getuid() == 0, nil
		},
	})
}
