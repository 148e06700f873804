package once

import (
	"bytes"
	"context"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
)

// The argument must be nowhere that another user can see while the call is under way.
func TestNothingOfTheCallIsInSight(t *testing.T) {
	const canary = "canary-7f3a91-argument"
	st.NeedRoot(t)
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		out := &live{word: "running", done: make(chan struct{})}
		once.Stdout = out
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan error, 1)
		go func() {
			_, err := secret.On(once)(ctx, canary, time.Minute)
			done <- err
		}()
		<-out.done
		lookFor(t, canary)
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func lookFor(t *testing.T, canary string) {
	t.Helper()
	processes, err := st.Root.Processes()
	if err != nil {
		t.Fatal(err)
	}
	needles := [][]byte{[]byte(canary), []byte(base64.StdEncoding.EncodeToString([]byte(canary))[:20])}
	workers := 0
	for _, p := range processes {
		if len(p.Argv) > 1 && p.Argv[1] == "__deliver" {
			workers++
		}
		for _, file := range []string{"cmdline", "environ"} {
			content, err := st.Root.ReadFile(filepath.Join("/proc", itoa(p.PID), file))
			if err != nil {
				continue // gone meanwhile
			}
			for _, n := range needles {
				if bytes.Contains(content, n) {
					t.Errorf("%s of process %d (%q) has the argument", file, p.PID, p.Argv)
				}
			}
		}
		if strings.Contains(strings.Join(p.Argv, " "), canary) {
			t.Errorf("process %d: %q", p.PID, p.Argv)
		}
	}
	if workers == 0 {
		t.Error("no worker was running while we looked")
	}
	for _, dir := range []string{os.TempDir(), "/var/tmp"} {
		if files, _ := filepath.Glob(filepath.Join(dir, "*"+canary+"*")); len(files) > 0 {
			t.Errorf("files: %q", files)
		}
	}
}
