package once

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/registry"
)

// A copy of the program under this name has one function more.
const other = "other-registry"

var _ = func() bool {
	if filepath.Base(os.Args[0]) == other {
		registry.Register("only.there", func() {})
	}
	return true
}()

// copyBinary copies the test binary, changed by edit.
func copyBinary(t *testing.T, name string, edit func([]byte) []byte) string {
	t.Helper()
	content, err := os.ReadFile(st.Binary)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, edit(content), 0o755); err != nil { //nolint:gosec // a program
		t.Fatal(err)
	}
	return file
}

func TestSkewIsRefusedBeforeAnythingLeaves(t *testing.T) {
	canary := strings.Repeat("canary-argument-", 4096)
	for name, c := range map[string]struct {
		program string
		want    string
	}{
		"another build": {copyBinary(t, "app", func(b []byte) []byte {
			id := []byte(build.ID())
			return bytes.Replace(b, id, bytes.Repeat([]byte("x"), len(id)), 1)
		}), "this side runs the build"},
		"another registry": {copyBinary(t, other, func(b []byte) []byte { return b }), `function "only.there" is only on the far side`},
	} {
		record := filepath.Join(t.TempDir(), "stdin")
		once := delivery.Once{Via: script(t, fmt.Sprintf("tee %s | \"$@\"\n", record)), Program: c.program}
		_, err := secret.On(once)(context.Background(), canary, 0)
		var skew *box.VersionSkewError
		if !errors.As(err, &skew) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		sent, err := os.ReadFile(record)
		if err != nil || len(sent) == 0 || len(sent) > 16<<10 || bytes.Contains(sent, []byte("canary")) {
			t.Errorf("%s: %d bytes left this side, %v", name, len(sent), err)
		}
	}
}

func TestAnotherBuildMayServeIfAllowed(t *testing.T) {
	id := []byte(build.ID())
	program := copyBinary(t, "app", func(b []byte) []byte {
		return bytes.Replace(b, id, bytes.Repeat([]byte("x"), len(id)), 1)
	})
	if _, err := whoami.On(delivery.Once{Via: targets()[0].via, Program: program, AnyBuild: true})(); err != nil {
		t.Error(err)
	}
}

func TestAnUnknownFunctionIsNamedWithItsNeighbours(t *testing.T) {
	r, err := delivery.Once{Via: targets()[0].via, Only: []string{"echo", "print"}}.Deliver(context.Background(), &box.Box{Func: "ecko"})
	if err != nil {
		t.Fatal(err)
	}
	var p *box.PackingError
	if err := r.Err(); !errors.As(err, &p) || !strings.Contains(err.Error(), `near it: ["echo"]`) {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"", "../x", "a\nb", strings.Repeat("a", 129), "n\u0430me"} {
		if r, err := (delivery.Once{Via: targets()[0].via, Only: []string{"echo"}}).Deliver(context.Background(), &box.Box{Func: name}); err != nil || !errors.As(r.Err(), &p) {
			t.Errorf("%q: %v, %v", name, r, err)
		}
	}
}
