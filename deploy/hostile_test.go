package deploy

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// A cutter passes on so many bytes, and then does something.
type cutter struct {
	w    io.WriteCloser
	left int
	then func() error
}

func (c *cutter) Write(p []byte) (int, error) {
	if len(p) <= c.left {
		c.left -= len(p)
		return c.w.Write(p)
	}
	n, _ := c.w.Write(p[:c.left])
	c.left = 0
	return n, errors.Join(io.ErrClosedPipe, c.then())
}

// TestCutInTheMiddle: whatever ends the far side while the program travels, nothing has its name.
func TestCutInTheMiddle(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			f, cache := farIn(t, shell, home), filepath.Join(home, "c") // other places are this machine's
			for i, cut := range []int{0, 10, 33, 98, 99, 150, 1 << 10, 100_000, piece + 111, piece + 130, 1_000_000} {
				for _, kill := range []bool{false, true} {
					f.edit = func(w io.WriteCloser) io.Writer {
						return &cutter{w, cut, func() error {
							if kill {
								_ = f.running.Process.Kill()
							}
							return w.Close()
						}}
					}
					if r, _, _, err := f.call(t, Options{Cache: cache}); err == nil {
						t.Errorf("%d: %+v", i, r)
					}
					for _, file := range files(t, home) {
						if !strings.HasSuffix(file, ".new") {
							t.Errorf("cut at %d: %q is there", cut, file)
						}
					}
				}
			}
			for _, file := range files(t, home) { // what was left is taken away after an hour
				if err := os.Chtimes(filepath.Join(home, file), time.Time{}, time.Now().Add(-2*time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			f.edit = nil
			if r, _, _, err := f.call(t, Options{Cache: cache}); err != nil || !r.Pushed {
				t.Errorf("afterwards: %+v, %v", r, err)
			}
			if left := files(t, home); len(left) != 2 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// A flipper changes one byte of each piece of the program.
type flipper struct {
	w  io.Writer
	at int
}

func (f *flipper) Write(p []byte) (int, error) {
	mine := bytes.Clone(p)
	if f.at < len(mine) && len(mine) > 1000 {
		mine[f.at] ^= 0x10
	}
	return f.w.Write(mine)
}

func TestWhatIsMangledOnTheWayIsNotRun(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			for _, clock := range []func() time.Time{slowWay(), quickWay()} {
				f := farIn(t, shell, home)
				f.now = clock
				f.edit = func(w io.WriteCloser) io.Writer { return &flipper{w, 50_000} }
				_, _, _, err := f.call(t, Options{Cache: filepath.Join(home, "c")})
				var e *Error
				if !errors.As(err, &e) || len(e.Tried) != 1 {
					t.Errorf("%v", err)
				}
				if left := files(t, home); len(left) > 0 {
					t.Errorf("left: %q", left)
				}
			}
		})
	}
}

func TestManyAtOnce(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			farIn(t, shell, home)
			var all sync.WaitGroup
			for range 8 {
				f := farIn(t, shell, home)
				all.Go(func() {
					for range 2 {
						if r, out, _, err := f.call(t, Options{}); err != nil || !strings.HasPrefix(out, "worker "+r.Path) {
							t.Errorf("%+v %q %v", r, out, err)
						}
					}
				})
			}
			all.Wait()
			if left := files(t, home); len(left) != 2 {
				t.Errorf("left: %q", left)
			}
		})
	}
}

// tools are what the script cannot do without. busybox has its own in any case.
var tools = []string{"cat", "chmod", "head", "id", "ls", "mkdir", "mv", "rm", "rmdir", "uname"}

func TestFewTools(t *testing.T) {
	for name, shell := range shells(t) {
		for more, extra := range map[string][]string{"none": nil, "stat": {"stat"}, "gzip and sha256sum": {"gzip", "sha256sum"}, "gzip and openssl": {"gzip", "openssl"}} {
			t.Run(name+" with "+more, func(t *testing.T) {
				home := t.TempDir()
				f := farIn(t, shell, home)
				bin := filepath.Join(home, "tools")
				if err := os.Mkdir(bin, 0o755); err != nil { //nolint:gosec // to be entered
					t.Fatal(err)
				}
				for _, tool := range append(append([]string{}, tools...), extra...) {
					link(t, tool, bin)
				}
				f.change = strings.NewReplacer("PATH=/usr/bin:/bin:/usr/sbin:/sbin:/usr/local/bin:$PATH", "PATH="+bin)
				r, out, _, err := f.call(t, Options{})
				if err != nil || !r.Pushed || !strings.HasSuffix(out, "hello") {
					t.Errorf("%+v %q %v", r, out, err)
				}
				r, out, _, err = f.call(t, Options{})
				if again := more == "none" && name != "busybox"; err != nil || r.Pushed != again || !strings.HasSuffix(out, "hello") {
					t.Errorf("%+v %q %v", r, out, err)
				}
			})
		}
	}
}

func link(t *testing.T, tool, bin string) {
	t.Helper()
	for _, dir := range []string{"/usr/bin", "/bin"} {
		if _, err := os.Stat(filepath.Join(dir, tool)); err == nil {
			if err := os.Symlink(filepath.Join(dir, tool), filepath.Join(bin, tool)); err != nil {
				t.Fatal(err)
			}
			return
		}
	}
	t.Skipf("NOT TESTED, no %s here", tool)
}

// answered is what becomes of the talk with a far side that says no more than this; @ stands for how a line begins.
func answered(t *testing.T, o Options, answer string) (Result, string, error) {
	t.Helper()
	o.On = true
	p, err := Prepare(o)
	if err != nil {
		t.Fatal(err)
	}
	out, far := io.Pipe()
	in := &nonceReader{nonce: make(chan string, 1)}
	go func() {
		nonce := <-in.nonce
		_, _ = io.WriteString(far, strings.ReplaceAll(answer, "@", "=====DEPLOY "+nonce))
		far.Close()
	}()
	var noise bytes.Buffer
	r, err := p.Meet(Link{In: in, Out: out, Noise: &noise})
	out.Close()
	return r, noise.String(), err
}

// A nonceReader takes in what this side says; the first line is the nonce.
type nonceReader struct {
	nonce chan string
	once  sync.Once
}

func (n *nonceReader) Write(p []byte) (int, error) {
	n.once.Do(func() { n.nonce <- strings.TrimSpace(string(p)) })
	return len(p), nil
}

func TestNoise(t *testing.T) {
	long := strings.Repeat("x", 200_000)
	for _, c := range []struct{ answer, noise string }{
		{"@ here /x=====\n", ""},
		{"motd\n=====DEPLOY 00 here /y=====\n@ here /x=====\r\nmore", "motd\n=====DEPLOY 00 here /y=====\nmore"},
		{"no line feed@ here /x=====\n", "no line feed"},
		{long + "\n" + long + "@ here /x=====\n", long + "\n" + long},
	} {
		r, noise, err := answered(t, Options{}, c.answer)
		if err != nil || r.Path != "/x" || noise != c.noise {
			t.Errorf("%.80q: %+v, %.200q, %v", c.answer, r, noise, err)
		}
	}
}

func TestWhatAFarSideCannotBeGiven(t *testing.T) {
	for _, c := range []struct {
		options Options
		answer  string
		want    string
	}{
		{Options{}, "", "unexpected EOF"},
		{Options{}, "@ here", "unexpected EOF"},
		{Options{}, "@ arch Linux sparc64 gzip=====\n", `the far side is "linux/sparc64", this program is for`},
		{Options{Programs: map[string]string{"linux/arm64": "/nowhere"}}, "@ arch Linux aarch64 gzip=====\n", "the file for linux/arm64 cannot be read: open /nowhere"},
		{Options{}, "@ arch =====\n", "and not its name and machine"},
		{Options{}, "@ terminal=====\n", "a terminal is in the way"},
		{Options{}, "@ need 1 /x=====\n", "before it has said what system it is"},
		{Options{}, "@ none=====\n", "before it has said"},
		{Options{}, "@ more=====\n", "wants more than it asked for"},
		{Options{}, "@ here /x\x1b[31m=====\n", `in "/x\x1b[31m", which is no path`},
		{Options{}, "@ here x=====\n", "which is no path"},
		{Options{}, "@ here /x/../y=====\n", "which is no path"},
		{Options{}, "@ here /" + strings.Repeat("x", maxPath) + "=====\n", "which is no path"},
		{Options{}, "@ dance=====\n", `the far side says "dance"`},
		{Options{}, "@ refuse /x\tit \x1b[31mis so=====\n", `tried "/x": "it \x1b[31mis so"`},
	} {
		if _, _, err := answered(t, c.options, c.answer); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: got %v, want %s", c.answer, err, c.want)
		}
	}
}

func TestCheck(t *testing.T) {
	for want, o := range map[string]Options{
		"options without On":    {Cache: "/x"},
		"without On: set it":    {KeepNothing: true},
		"a clean absolute path": {On: true, Cache: "x"},
		`cache "/x/"`:           {On: true, Cache: "/x/"},
		`cache "/"`:             {On: true, Cache: "/"},
		"line feeds":            {On: true, Cache: "/a\nb"},
		`system "arm64": is not of the form GOOS`: {On: true, Programs: map[string]string{"arm64": "/x"}},
		"no file for linux/arm64":                 {On: true, Programs: map[string]string{"linux/arm64": ""}},
	} {
		if err := o.Check(); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := (Options{}).Check(); err != nil {
		t.Error(err)
	}
}

// TestAFarSideWithoutEnd: one that offers places for ever gets the program a few times, and no more.
func TestAFarSideWithoutEnd(t *testing.T) {
	for name, line := range map[string]string{
		"refuse": "@ refuse /x\tno=====\n", "need": "@ need - /x=====\n", "small": "@ need 0 /x=====\n", "arch": "@ arch Linux " + runtime.GOARCH + "=====\n",
	} {
		t.Run(name, func(t *testing.T) {
			system := map[string]string{"amd64": "x86_64", "arm64": "aarch64"}[runtime.GOARCH]
			answer := "@ arch Linux " + system + "=====\n" + strings.Repeat(strings.ReplaceAll(line, runtime.GOARCH, system), 1000)
			r, _, err := answered(t, Options{}, answer)
			var e *Error
			if !errors.As(err, &e) || !strings.Contains(e.Why, "has no end") || len(e.Tried) > 40 {
				t.Errorf("%+v, %.300v", r, err)
			}
		})
	}
}

// TestOthersFilesStay: a cache may be a directory with other things in it, a home directory for instance.
func TestOthersFilesStay(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			f := farIn(t, shell, home)
			cache := filepath.Join(home, "c")
			mine := []string{".profile.new", "notes/." + strings.Repeat("a", 32) + ".new", "." + strings.Repeat("x", 32) + ".new", "." + strings.Repeat("a", 33) + ".new"}
			left := "." + strings.Repeat("0123456789abcdef", 2) + ".new"
			for _, file := range append([]string{left}, mine...) {
				path := filepath.Join(cache, file)
				if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600), os.Chtimes(path, time.Time{}, time.Now().Add(-2*time.Hour))); err != nil {
					t.Fatal(err)
				}
			}
			giveAway(t, home)
			if r, _, _, err := f.call(t, Options{Cache: cache}); err != nil || !r.Pushed {
				t.Fatalf("%+v, %v", r, err)
			}
			for _, file := range mine {
				if _, err := os.Stat(filepath.Join(cache, file)); err != nil {
					t.Error(err)
				}
			}
			if _, err := os.Stat(filepath.Join(cache, left)); err == nil {
				t.Error("what a kill left is there still")
			}
		})
	}
}

// giveAway makes everything below a directory the far user's.
func giveAway(t *testing.T, dir string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err == nil && os.Geteuid() == 0 {
			err = os.Lchown(path, nobody, nobody)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestKilledWithKeepNothing: what a call left that was killed goes with a later one, and nothing else does.
func TestKilledWithKeepNothing(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("Linux only")
	}
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			home := t.TempDir()
			f := farIn(t, shell, home)
			o := Options{KeepNothing: true, Cache: filepath.Join(home, "c")}
			f.edit = func(w io.WriteCloser) io.Writer {
				return &cutter{w, piece + 200_000, func() error {
					_ = f.running.Process.Kill()
					return w.Close()
				}}
			}
			for range 2 {
				if r, _, _, err := f.call(t, o); err == nil {
					t.Fatalf("%+v", r)
				}
			}
			f.edit = nil
			entries, err := os.ReadDir(o.Cache)
			if err != nil || len(entries) != 2 {
				t.Fatalf("%v, %v", entries, err)
			}
			old := time.Now().Add(-2 * time.Hour)
			young := filepath.Join(o.Cache, entries[0].Name())
			gone := filepath.Join(o.Cache, entries[1].Name())
			others := []string{"deliveryboy-" + strings.Repeat("z", 32), "deliveryboy-bin-5", "deliveryboy-" + strings.Repeat("a", 31)}
			for _, dir := range others {
				if err := os.Mkdir(filepath.Join(o.Cache, dir), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for _, path := range append(files(t, gone), "") {
				if err := os.Chtimes(filepath.Join(gone, path), old, old); err != nil {
					t.Fatal(err)
				}
			}
			for _, dir := range append([]string{young}, others...) {
				if dir != young {
					dir = filepath.Join(o.Cache, dir)
				}
				if err := os.Chtimes(dir, old, old); err != nil { // its file is new: it is being filled
					t.Fatal(err)
				}
			}
			giveAway(t, home)
			if r, out, _, err := f.call(t, o); err != nil || r.Path != "" || !strings.HasSuffix(out, "hello") {
				t.Fatalf("%+v, %q, %v", r, out, err)
			}
			if _, err := os.Stat(gone); err == nil {
				t.Error("what a kill left is there still")
			}
			for _, dir := range append(others, filepath.Base(young)) {
				if _, err := os.Stat(filepath.Join(o.Cache, dir)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
