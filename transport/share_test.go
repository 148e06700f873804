package transport

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// shortDir is a directory of mode 0700 whose name leaves room for a socket.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("/tmp", "s")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

func TestControlDirPrefersRuntimeDir(t *testing.T) {
	dir := shortDir(t)
	t.Setenv("XDG_RUNTIME_DIR", dir)
	for range 2 {
		got, err := controlDir()
		if err != nil || got != dir+"/deliveryboy" {
			t.Fatalf("got %q, %v", got, err)
		}
	}
	info, err := os.Lstat(dir + "/deliveryboy")
	if err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 {
		t.Errorf("got %v, %v, want a directory of mode 0700", info, err)
	}
}

// TestControlDirFallsBack: a runtime directory that is not ours alone, too long or oddly named is passed over.
func TestControlDirFallsBack(t *testing.T) {
	short := shortDir(t)
	open := filepath.Join(short, "open")
	odd := filepath.Join(short, "a b")
	percent := filepath.Join(short, "%h")
	long := filepath.Join(short, strings.Repeat("x", 60))
	for _, dir := range []string{open, odd, percent, long} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(open, 0o755); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(short, "link")
	if err := os.Symlink(short, link); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", short)
	for _, runtimeDir := range []string{"", "relative", short + "/missing", open, odd, percent, long, link} {
		t.Setenv("XDG_RUNTIME_DIR", runtimeDir)
		got, err := controlDir()
		if err != nil || filepath.Dir(got) != short || !strings.HasPrefix(filepath.Base(got), "deliveryboy-") {
			t.Errorf("%s: got %q, %v", runtimeDir, got, err)
		}
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	for _, temp := range []string{long, odd, percent} {
		t.Setenv("TMPDIR", temp)
		if got, err := controlDir(); err != nil || filepath.Dir(got) != "/tmp" {
			t.Errorf("%s: got %q, %v, want one in /tmp", temp, got, err)
		}
	}
}

func TestControlDirRefuses(t *testing.T) {
	for _, c := range []struct {
		name string
		make func(dir string) error
		want string
	}{
		{"link", func(dir string) error {
			if err := os.Mkdir(dir+"-real", 0o700); err != nil {
				return err
			}
			return os.Symlink(dir+"-real", dir)
		}, "is a symbolic link"},
		{"file", func(dir string) error { return os.WriteFile(dir, nil, 0o600) }, "is not a directory"},
		{"mode", func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chmod(dir, 0o750)
		}, "has mode 0750, should be 0700"},
		{"owner", func(dir string) error {
			if err := os.Mkdir(dir, 0o700); err != nil {
				return err
			}
			return os.Chown(dir, 65534, 65534)
		}, "does not belong to uid 0"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.name == "owner" && os.Geteuid() != 0 {
				t.Skip("needs root")
			}
			runtimeDir := shortDir(t)
			dir := runtimeDir + "/deliveryboy"
			if err := c.make(dir); err != nil {
				t.Fatal(err)
			}
			t.Setenv("XDG_RUNTIME_DIR", runtimeDir)
			_, err := SSH{Host: "web1"}.Command([]string{"/x"})
			want := `transport: ssh control directory "` + dir + `": ` + c.want +
				"; remove it, or set NoShare to do without: not safe to run"
			if err == nil || err.Error() != want || !errors.Is(err, ErrUnsafe) {
				t.Errorf("got %v\nwant %s", err, want)
			}
			if _, err := (SSH{Host: "web1", NoShare: true}).Command([]string{"/x"}); err != nil {
				t.Errorf("with NoShare: %v", err)
			}
			if _, err := hopCommand(SSH{Host: "web1"}, []string{"/x"}, true); err != nil {
				t.Errorf("behind another hop: %v", err)
			}
		})
	}
}

// TestControlDirParent: in a directory that others may write to, ours could be exchanged after the check.
func TestControlDirParent(t *testing.T) {
	open := shortDir(t)
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_RUNTIME_DIR", "")
	t.Setenv("TMPDIR", open)
	_, err := controlDir()
	want := `transport: ssh control directory: others may replace files in "` + open + `" (mode 0777): not safe to run`
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

// TestControlPathFits: with the longest accepted directory the socket name of ssh still fits.
func TestControlPathFits(t *testing.T) {
	t.Parallel()
	for n := range 120 {
		dir := "/" + strings.Repeat("x", n)
		path := dir + "/01234567-" + strings.Repeat("c", 40) + "." + strings.Repeat("r", 16)
		if fits := len(path) < 104; fits && !fitsSocket(dir) {
			t.Errorf("%d bytes fit everywhere but are refused", len(path))
		}
		if len(path) >= 108 && fitsSocket(dir) {
			t.Errorf("%d bytes do not fit but are accepted", len(path))
		}
	}
}

// TestControlPathDiffers: what decides about trust is part of the name.
func TestControlPathDiffers(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
	seen := map[string]string{}
	for _, s := range []SSH{
		{}, {Identity: "/a"}, {ConfigFile: "/a"}, {KnownHosts: "/a"}, {Jump: "a"}, {Program: "/a"},
		{Options: []string{"A=b"}}, {Options: []string{"A=b", "C=d"}},
	} {
		s.Host = "web1"
		path, err := s.controlPath()
		if err != nil {
			t.Fatal(err)
		}
		if other, twice := seen[path]; twice {
			t.Errorf("%s and %s share %s", s, other, path)
		}
		seen[path] = s.String()
		s.Persist, s.ConnectTimeout = time.Hour, time.Minute
		if again, _ := s.controlPath(); again != path {
			t.Errorf("%s: times change the path", s)
		}
	}
}

func TestCloseSharedNothing(t *testing.T) {
	if _, err := findProgram("ssh"); err != nil {
		t.Skip("needs ssh")
	}
	t.Setenv("XDG_RUNTIME_DIR", shortDir(t))
	for _, s := range []SSH{{Host: "web1.invalid"}, {Host: "web1.invalid", NoShare: true}} {
		if err := s.CloseShared(t.Context()); err != nil {
			t.Error(err)
		}
	}
	if err := (SSH{Host: "-x"}).CloseShared(t.Context()); err == nil {
		t.Error("a bad host was accepted")
	}
	stopped, cancel := context.WithCancel(t.Context())
	cancel()
	if err := (SSH{Host: "web1.invalid"}).CloseShared(stopped); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	bad := SSH{Host: "web1.invalid", ConfigFile: "/no/such/file"}
	if err := bad.CloseShared(t.Context()); err == nil || !strings.Contains(err.Error(), "Can't open user config file") {
		t.Errorf("got %v, want ssh's own words", err)
	}
}

// TestHome: "~/" needs HOME, and nothing from PATH is run to find it.
func TestHome(t *testing.T) {
	s := SSH{Host: "web1", NoShare: true, Identity: "~/id", KnownHosts: "~/kh", ConfigFile: "~/conf"}
	t.Setenv("HOME", "/home/me")
	argv, err := s.Command([]string{"/x"})
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Join(argv, " ")
	for _, want := range []string{`IdentityFile="/home/me/id"`, `UserKnownHostsFile="/home/me/kh"`, "-F /home/me/conf "} {
		if !strings.Contains(line, want) {
			t.Errorf("%s is not in %s", want, line)
		}
	}
	t.Setenv("HOME", "/home/you") // no cached answer
	if argv, err := s.Command([]string{"/x"}); err != nil || !strings.Contains(strings.Join(argv, " "), "-F /home/you/conf") {
		t.Errorf("got %q, %v", argv, err)
	}
	for _, home := range []string{"", "relative", "/a\"b"} {
		t.Setenv("HOME", home)
		if argv, err := s.Command([]string{"/x"}); err == nil {
			t.Errorf("HOME=%q: got %q", home, argv)
		}
	}
	if argv, err := (Chain{Sudo{}, s}).Command([]string{"/x"}); err == nil {
		t.Errorf("~/ in ssh_config behind sudo: got %q", argv)
	}
}
