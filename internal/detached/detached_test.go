package detached

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// astray is set for a copy that is to go on as if it were none.
const astray = "DETACHED_ASTRAY"

func TestMain(m *testing.M) {
	if os.Getenv(astray) != "" {
		_, err := Start("sleeper", nil)
		fmt.Print(err)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestNoEnd: a program that does not know its copies does not start them without end.
func TestNoEnd(t *testing.T) {
	cmd := exec.Command(os.Args[0], Verb, "sleeper")
	cmd.Env = append(os.Environ(), astray+"=1")
	out, err := cmd.Output()
	if err != nil || !strings.Contains(string(out), errAstray.Error()) {
		t.Errorf("%q, %v; want %q", out, err, errAstray)
	}
}
