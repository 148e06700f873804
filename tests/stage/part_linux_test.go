package stage

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"
)

// The test binary plays every part. Without partVar it is the ordinary test run, which starts itself again with it.
const partVar = "STAGETEST_PART"

var st *Stage

func TestMain(m *testing.M) {
	part := os.Getenv(partVar)
	if part == "" {
		os.Exit(m.Run())
	}
	st = Enter(Options{
		StayRoot: part == "root",
		Keep:     []string{"STAGETEST_*"},
		After: func(r Report) {
			text, err := json.Marshal(r)
			fmt.Fprintln(os.Stderr, "REPORT", string(text), err)
		},
	})
	os.Exit(play(m, part))
}

// play runs inside.
func play(m *testing.M, part string) int {
	switch part {
	case "user", "root":
		return m.Run()
	case "exit7":
		return 7
	case "hold":
		if err := hold(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		select {}
	case "skips":
		fmt.Printf("INSIDE %v\n%s\n", st.Inside, strings.Join(st.Skips(), "\n"))
		return 0
	}
	fmt.Fprintln(os.Stderr, "no such part:", part)
	return 1
}
