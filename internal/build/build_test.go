package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestIDIsThatOfTheGoTool(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "tool", "buildid", exe).Output()
	if err != nil {
		t.Skipf("go tool buildid: %v", err)
	}
	want := strings.TrimSpace(string(out))
	if want == "" {
		t.Skip("this test binary has no build ID")
	}
	if got := ID(); got != want {
		t.Errorf("ID() = %q, go tool buildid says %q", got, want)
	}
}

func TestNoNoteNoID(t *testing.T) {
	for name, content := range map[string]string{
		"empty":     "",
		"script":    "#!/bin/sh\n",
		"truncated": "\x7fELF",
		"no note":   "\x7fELF" + strings.Repeat("\x00", 9000),
		"huge size": "\x7fELF\x02\x01" + strings.Repeat("\x00", 60) + "\x04\x00\x00\x00\xff\xff\xff\xff\x04\x00\x00\x00Go\x00\x00",
	} {
		file := filepath.Join(t.TempDir(), "f")
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := os.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		if id := goBuildID(f); id != "" {
			t.Errorf("%s: found the ID %q", name, id)
		}
		f.Close()
	}
}
