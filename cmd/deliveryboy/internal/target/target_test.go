package target

import (
	"errors"
	"fmt"
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
		{"behind a link in a writable directory", good, through, ": ", "/open is writable by group or others (mode 0777)"},
		{"behind a link in circles", good, circle, ": ", "too many symbolic links"},
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
		{"through one that is not there", good + "far = \"via=gate//sudo\"\n", nil, ":4: ", `goes through the target "gate", which is not there`},
		{"through itself", good + "far = \"via=far//sudo\"\n", nil, ":4: ", `target "far": it goes through the target "far"`},
		{"in a circle", good + "a = \"via=b//sudo\"\nb = \"via=a//sudo\"\n", nil, ":4: ", `target "b": it goes through the target "a", which goes through "b": a circle`},
		{"in a wide circle", good + "a = \"via=b\"\nb = \"via=c\"\nc = \"via=a\"\n", nil, ":4: ", `target "c": it goes through the target "a", which goes through "c"`},
		{"through many", good + chained(9), nil, ":13: ", "more than 8 targets are on its way"},
		{"through two", good + "a = \"via=web1//via=db//sudo\"\n", nil, ":4: ", "via= stands twice"},
		{"through no name", good + "a = \"via=Web 1//sudo\"\n", nil, ":4: ", "it is no name of a target"},
		{"through a spec that is none", good + "a = \"via=web1//sudoo\"\n", nil, ":4: ", `did you mean "sudo"`},
		{"through, and not first", good + "a = \"sudo//via=web1\"\n", nil, ":4: ", `key "via" is not known here`},
		{"called via", good + "via = \"sudo\"\n", nil, ":4: ", "it would be hidden by the key"},
		{"CRLF", strings.ReplaceAll(good, "\n", "\r\n"), nil, ":1: ", "a carriage return"},
		{"byte order mark", "\ufeff" + good, nil, ":1: ", "a byte order mark"},
		{"no table", "targets = 5\n", nil, ":1: ", "targets is no table"},
		{"a list of tables", "[[targets]]\nweb1 = \"sudo\"\n", nil, ":1: ", "targets is no table"},
		{"dots", good + strings.Repeat("a.", 100_000) + "a = 1\n", nil, ":4: ", "100000 dots in a row of names"},
		{"tables in tables", good + "a = " + strings.Repeat("{a=", 100_000) + "\n", nil, ":4: ", "more than 64 brackets"},
		{"tables in lists", good + "a = " + strings.Repeat("[\n{a=", 100_000) + "\n", nil, ":36: ", "more than 64 brackets"},
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

// chained are so many targets on a way to one more.
func chained(n int) string {
	text := "t0 = \"self\"\n"
	for i := range n {
		text += fmt.Sprintf("t%d = \"via=t%d//self\"\n", i+1, i)
	}
	return text
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

// through leads to the file over two links, of which others can replace the second.
func through(t *testing.T, path string) string {
	t.Helper()
	top := t.TempDir()
	open := filepath.Join(top, "open")
	for _, err := range []error{
		os.Mkdir(open, 0o700), os.Symlink(filepath.Dir(path), filepath.Join(open, "second")), os.Chmod(open, 0o777),
		os.Symlink("open/second", filepath.Join(top, "first")),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(top, "first", filepath.Base(path))
}

func circle(t *testing.T, path string) string {
	t.Helper()
	round := filepath.Join(t.TempDir(), "round")
	if err := os.Symlink("round", round); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(round, filepath.Base(path))
}
