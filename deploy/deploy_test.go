package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestMain(m *testing.M) {
	if Asked(os.Args) {
		Main(os.Args)
	}
	if len(os.Args) > 1 && os.Args[1] == "__deliver" {
		exe, _ := os.Executable()
		rest, _ := io.ReadAll(os.Stdin)
		fmt.Printf("worker %s %q %s", exe, os.Args[2:], rest)
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// shells are those that are here.
func shells(t *testing.T) map[string][]string {
	all := map[string][]string{}
	for _, words := range [][]string{{"dash"}, {"busybox", "ash"}, {"bash", "--posix"}, {"ksh"}, {"mksh"}, {"zsh", "--emulate", "sh"}, {"yash", "-o", "posix"}} {
		if path, err := exec.LookPath(words[0]); err == nil {
			all[words[0]] = append([]string{path}, words[1:]...)
		} else if words[0] == "dash" || words[0] == "busybox" {
			t.Logf("NOT TESTED, no %s here", words[0])
		}
	}
	return all
}

// A far is a far side on this machine: a shell with a home of its own.
type far struct {
	shell []string
	env   []string
	edit  func(io.WriteCloser) io.Writer // what is between here and there; may be nil

	change  *strings.Replacer // of the script; may be nil
	now     func() time.Time  // this side's clock; may be nil
	running *exec.Cmd
}

// nobody is who the far side is, if this is root: root's places are not for tests.
const nobody = 54321

func farIn(t *testing.T, shell []string, home string) *far {
	if os.Geteuid() == 0 {
		for dir := home; dir != os.TempDir(); dir = filepath.Dir(dir) {
			if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // to be entered
				t.Fatal(err)
			}
		}
		if err := os.Chown(home, nobody, nobody); err != nil {
			t.Fatal(err)
		}
	}
	return &far{shell: shell, env: []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}}
}

// call brings the program to the far side; output is what the program says there to "hello".
func (f *far) call(t *testing.T, o Options, names ...string) (r Result, output, noise string, err error) {
	t.Helper()
	o.On = true
	p, err := Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	if f.now != nil {
		p.now = f.now
	}
	argv := append(append([]string{}, f.shell...), p.Argv(names...)[1:]...)
	if f.change != nil {
		for i, word := range argv {
			argv[i] = f.change.Replace(word)
		}
	}
	cmd := exec.Command(argv[0], argv[1:]...)
	f.running = cmd
	cmd.Env, cmd.Dir = f.env, "/"
	if os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	to := io.Writer(in)
	if f.edit != nil {
		to = f.edit(in)
	}
	var excess bytes.Buffer
	r, err = p.Meet(Link{In: to, Out: out, Noise: &excess})
	if err == nil {
		_, _ = io.WriteString(in, "hello")
	}
	in.Close()
	said, _ := io.ReadAll(out)
	if e := cmd.Wait(); e != nil && err == nil {
		t.Errorf("the program ended with %v", e)
	}
	if stderr.Len() > 0 {
		t.Errorf("stderr: %s", &stderr)
	}
	return r, string(said), excess.String(), err
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// TestOneLine: a line break would make a transport start another shell, which puts it back behind a login shell.
func TestOneLine(t *testing.T) {
	p, err := Prepare(Options{On: true})
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range p.Argv("a.b") {
		if strings.Contains(word, "\n") {
			t.Errorf("a word with a line break: %q", word)
		}
	}
	for i, line := range strings.Split(source, "\n") {
		if code := strings.TrimLeft(line, "\t"); !strings.HasPrefix(code, "#") && (strings.Contains(code, " # ") || strings.HasSuffix(code, "\\")) {
			t.Errorf("bootstrap.sh:%d: %q does not end where its line ends", i+1, line)
		}
	}
}

func TestBringOnceThenFind(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			f := farIn(t, shell, home)
			me, err := own()
			if err != nil {
				t.Fatal(err)
			}
			want := filepath.Join(home, ".cache/deliveryboy/bin", me.digest)
			for i, pushed := range []bool{true, false, false} {
				r, out, noise, err := f.call(t, Options{}, "a.b", "c")
				if err != nil || noise != "" {
					t.Fatalf("%v, noise %q", err, noise)
				}
				if r.Path != want || r.Pushed != pushed || (r.Sent > 0) != pushed || r.Build != me.build {
					t.Errorf("call %d: %+v", i, r)
				}
				if out != fmt.Sprintf("worker %s [\"a.b,c\"] hello", want) {
					t.Errorf("the program said %q", out)
				}
			}
			info, err := os.Stat(want)
			if err != nil || info.Mode() != 0o500 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if got := files(t, home); len(got) != 2 {
				t.Errorf("left: %q", got)
			}
		})
	}
}

func TestKeepNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			for _, cache := range []string{"", filepath.Join(home, "c")} {
				f := farIn(t, shell, home)
				f.env = append(f.env, "XDG_RUNTIME_DIR="+home)
				for range 2 {
					r, out, _, err := f.call(t, Options{KeepNothing: true, Cache: cache})
					if err != nil || !r.Pushed || r.Path != "" || !strings.HasSuffix(out, "[] hello") {
						t.Errorf("%+v %q %v", r, out, err)
					}
					if got := files(t, home); len(got) > 0 {
						t.Errorf("left: %q", got)
					}
				}
			}
		})
	}
}

func TestADamagedProgramIsBroughtAgain(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			f := farIn(t, shell, home)
			r, _, _, err := f.call(t, Options{})
			if err != nil {
				t.Fatal(err)
			}
			for _, damage := range []func() error{
				func() error { return os.WriteFile(r.Path, []byte("#!/bin/sh\necho FOREIGN\n"), 0o500) },
				func() error { return os.Truncate(r.Path, 1000) },
				func() error { return os.Remove(r.Path) },
				func() error { return os.Chmod(r.Path, 0o400) },
				func() error { return errors.Join(os.Remove(r.Path), os.Symlink("/bin/true", r.Path)) },
			} {
				if err := errors.Join(os.Chmod(r.Path, 0o700), damage()); err != nil {
					t.Fatal(err)
				}
				r, out, _, err := f.call(t, Options{})
				if err != nil || !r.Pushed || !strings.HasPrefix(out, "worker ") {
					t.Errorf("%+v %q %v", r, out, err)
				}
			}
			// Touched, but whole: it is looked at again, and found right.
			if err := errors.Join(os.Chmod(r.Path, 0o700), os.Chmod(r.Path, 0o500)); err != nil {
				t.Fatal(err)
			}
			if r, _, _, err := f.call(t, Options{}); err != nil || r.Pushed {
				t.Errorf("%+v %v", r, err)
			}
		})
	}
}
