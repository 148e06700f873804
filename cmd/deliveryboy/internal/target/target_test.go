package target

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const good = "[targets]\nweb1 = \"ssh=deploy@web1//sudo\"\ndb = \"ssh=gate//ssh=db1//sudo=postgres\"\n"

// write puts a file where only this user can change it.
func write(t *testing.T, text string) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deliveryboy")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "targets.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRead(t *testing.T) {
	t.Parallel()
	got, err := Read(write(t, "# mine\n"+good))
	if err != nil {
		t.Fatal(err)
	}
	want := Targets{"web1": "ssh=deploy@web1//sudo", "db": "ssh=gate//ssh=db1//sudo=postgres"}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if d := cmp.Diff([]string{"db", "web1"}, got.Names()); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
	if got, err := Read(write(t, "")); err != nil || len(got) != 0 {
		t.Errorf("an empty file: %v, %v", got, err)
	}
	if _, err := Read(filepath.Join(t.TempDir(), "none", "targets.toml")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

// TestRefused has each way in which a file can be wrong or not be trusted.
func TestRefused(t *testing.T) {
	t.Parallel()
	chmod := func(mode fs.FileMode, of func(string) string) func(*testing.T, string) string {
		return func(t *testing.T, path string) string {
			if err := os.Chmod(of(path), mode); err != nil {
				t.Fatal(err)
			}
			return path
		}
	}
	itself := func(s string) string { return s }
	for _, c := range []struct {
		name, text string
		spoil      func(t *testing.T, path string) string
		line       string // behind the name of the file
		want       string
	}{
		{"group-writable", good, chmod(0o620, itself), ": ", "is writable by group or others (mode 0620)"},
		{"world-writable", good, chmod(0o602, itself), ": ", "is writable by group or others (mode 0602)"},
		{"in a writable directory", good, chmod(0o770, filepath.Dir), ": ", "is writable by group or others (mode 0770)"},
		{"another owner", good, chown, ": ", "is owned by uid 1; it should be yours or root's"},
		{"symbolic link", good, link, ": ", "it is a symbolic link"},
		{"directory", good, func(_ *testing.T, path string) string { return filepath.Dir(path) }, ": ", "it is no regular file"},
		{"too long", good + "# " + strings.Repeat("x", 1<<20), nil, ": ", "at most 1048576 are allowed"},
		{"unknown table", good + "[hosts]\na = \"self\"\n", nil, ":4: ", `unknown key "hosts"`},
		{"unknown key", "color = true\n" + good, nil, ":1: ", `unknown key "color"`},
		{"duplicate key", good + "web1 = \"sudo\"\n", nil, ":4: ", "already been defined"},
		{"wildcard", good + "\"*\" = \"sudo\"\n", nil, ":4: ", `target "*": it is no name`},
		{"capital letters", good + "Web1 = \"sudo\"\n", nil, ":4: ", `target "Web1": it is no name`},
		{"no spec", good + "\nweb2 = \"sudoo\"\n", nil, ":5: ", `did you mean "sudo"`},
		{"spec is a number", good + "web2 = 5\n", nil, ":4: ", "incompatible types"},
		{"spec is a table", good + "[targets.web2]\nspec = \"sudo\"\n", nil, ":", "incompatible types"},
		{"hidden by a transport", good + "sudo = \"ssh=web1\"\n", nil, ":4: ", "it would be hidden by the key"},
		{"hidden by a setting", good + "chdir = \"ssh=web1\"\n", nil, ":4: ", "it would be hidden by the key"},
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), nil, ":1: ", "a carriage return"},
		{"byte order mark", "\ufeff" + good, nil, ":1: ", "a byte order mark"},
		{"syntax", good + "web2 = \n", nil, ":4: ", "expected value"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			path := write(t, c.text)
			if c.spoil != nil {
				path = c.spoil(t, path)
			}
			got, err := Read(path)
			if got != nil || !errors.As(err, new(*Error)) {
				t.Fatalf("targets %v, error %v", got, err)
			}
			if !strings.HasPrefix(err.Error(), "targets: "+path+c.line) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %q, want a place %q and %q", err, c.line, c.want)
			}
		})
	}
}

func chown(t *testing.T, path string) string {
	if os.Getuid() != 0 {
		t.Skip("only root can give a file away")
	}
	if err := os.Chown(path, 1, -1); err != nil {
		t.Fatal(err)
	}
	return path
}

func link(t *testing.T, path string) string {
	other := filepath.Join(filepath.Dir(path), "other.toml")
	if err := os.Symlink(path, other); err != nil {
		t.Fatal(err)
	}
	return other
}
