package transporttest_test

import (
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/transport"
	"github.com/seed354a1416/deliveryboy/transport/transporttest"
)

// broken is a transport with one fault.
type broken struct{ fault string }

func (b broken) Command(argv []string) ([]string, error) {
	switch b.fault {
	case "accepts nonsense":
		return slices.Clone(argv), nil
	case "joins words":
		if _, err := (transport.Self{}).Command(argv); err != nil {
			return nil, err
		}
		return []string{"/bin/sh", "-c", strings.Join(argv, " ")}, nil
	case "changes argv":
		if _, err := (transport.Self{}).Command(argv); err != nil {
			return nil, err
		}
		return append(argv[:1], argv[1:]...), nil
	}
	out, err := transport.Self{}.Command(argv)
	if err == nil && b.fault == "loses the exit code" {
		out = append([]string{"/bin/sh", "-c", `"$@"; exit 0`, "sh"}, out...)
	}
	if err == nil && b.fault == "talks on stdout" {
		out = append([]string{"/bin/sh", "-c", `echo hello; exec "$@"`, "sh"}, out...)
	}
	return out, err
}

func (b broken) String() string {
	if b.fault == "unreadable text" {
		return "broken"
	}
	return "self"
}

// direct runs what the transport itself returns: the faults use programs by their path.
func direct(t *testing.T, via transport.Transport, argv []string) *exec.Cmd {
	t.Helper()
	out, err := via.Command(argv)
	if err != nil {
		t.Fatal(err)
	}
	return exec.Command(out[0], out[1:]...)
}

const faultVariable = "TRANSPORTTEST_FAULT"

// TestBroken plays the broken transport in a second copy of this test.
func TestBroken(t *testing.T) {
	fault := os.Getenv(faultVariable)
	if fault == "" {
		t.Skip("only as a child of TestSuiteFindsFaults")
	}
	transporttest.Run(t, broken{fault}, direct)
}

// TestSuiteFindsFaults: each fault makes its own part of the suite fail.
func TestSuiteFindsFaults(t *testing.T) {
	t.Parallel()
	for fault, part := range map[string]string{
		"joins words":         "argv",
		"talks on stdout":     "streams",
		"loses the exit code": "exit",
		"accepts nonsense":    "refuses",
		"changes argv":        "pure",
		"unreadable text":     "text",
		"none":                "",
	} {
		cmd := exec.Command(os.Args[0], "-test.run=^TestBroken$", "-test.v")
		cmd.Env = append(os.Environ(), faultVariable+"="+fault)
		out, err := cmd.CombinedOutput()
		found := strings.Contains(string(out), "--- FAIL: TestBroken/"+part+" ")
		if fault == "none" && err != nil || fault != "none" && !found {
			t.Errorf("%s: %v\n%s", fault, err, out)
		}
	}
}
