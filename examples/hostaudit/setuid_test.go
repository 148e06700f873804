package main

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

func TestAuditSetuid(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"good": "", "loose": "", "deep/group": "", "plain": "", "outside/x": ""})
	for name, mode := range map[string]fs.FileMode{
		"good": 0o755 | fs.ModeSetuid, "loose": 0o777 | fs.ModeSetuid, "deep/group": 0o755 | fs.ModeSetgid, "plain": 0o777,
	} {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"loop": "loop", "up": "..", "deep/good": "../good"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	report, err := auditSetuid(t.Context(), SetuidQuery{Roots: []string{dir, filepath.Join(dir, "deep"), filepath.Join(dir, "loop"), "/no/such/dir"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Files) != 3 {
		t.Errorf("found %+v, want good, loose and deep/group, once each", report.Files)
	}
	high := Findings{}
	for _, f := range report.Findings {
		if f.Severity == High {
			high = append(high, f)
		}
	}
	if len(high) != 1 || high[0].Subject != filepath.Join(dir, "loose") {
		t.Errorf("high findings %+v, want one about loose", high)
	}
}

func TestSetuidBounds(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"a": "", "b": "", "c": "", "d/e": ""})
	report, err := auditSetuid(t.Context(), SetuidQuery{Roots: []string{dir}, Limit: 2})
	if err != nil || report.Looked > 3 || len(report.Findings) == 0 || report.Findings[0].Severity != Warn {
		t.Errorf("got %+v, %v; want a warning that the walk stopped", report, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := auditSetuid(ctx, SetuidQuery{Roots: []string{dir}}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled walk: %v, want %v", err, context.Canceled)
	}
}
