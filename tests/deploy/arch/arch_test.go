//go:build linux

package arch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// A far is a far side of another architecture.
type far struct {
	system string
	via    []string // what stands before sh there
	root   string   // where its root directory is here
}

// fars are those that this machine can play.
func fars(t *testing.T) map[string]func(t *testing.T) far {
	t.Helper()
	return map[string]func(t *testing.T) far{"386": far386, "arm64": farARM64}
}

func far386(t *testing.T) far {
	t.Helper()
	if runtime.GOARCH != "amd64" {
		t.Skip("NOT TESTED: needs linux/amd64, which runs programs for linux/386")
	}
	file := unpacked(t, "linux/386")
	if out, err := exec.Command(file, "__digest", "x").CombinedOutput(); err != nil || string(out) != "x\n" {
		t.Skipf("NOT TESTED: this system runs no programs of 32 bits: %v %s", err, out)
	}
	return far{"linux/386", []string{"setarch", "i386"}, "/"}
}

// unpacked is a program of the same source as the one in the bundle, byte for byte.
func unpacked(t *testing.T, system string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "roamer")
	_, arch, _ := strings.Cut(system, "/")
	cmd := exec.Command("go", "build", "-trimpath", "-o", file, ".")
	cmd.Dir, cmd.Env = filepath.Join(dir, "source"), append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return file
}

func TestBringOnceThenFind(t *testing.T) {
	for name, make := range fars(t) {
		t.Run(name, func(t *testing.T) {
			f := make(t)
			cache := "/tmp/" + filepath.Base(t.TempDir()) + filepath.Base(dir)
			t.Cleanup(func() { os.RemoveAll(filepath.Join(f.root, cache)) })
			for _, pushed := range []bool{true, false} {
				o := call(t, Call{Via: f.via, Deploy: Options{On: true, Cache: cache, Bundle: bundle}})
				o.good(t, f.system)
				if o.Pushed != pushed || o.Answer.Exe != "" && o.Path != o.Answer.Exe || !strings.HasPrefix(o.Path, cache+"/") {
					t.Errorf("%+v", o)
				}
			}
			single := call(t, Call{Via: f.via, Deploy: Options{On: true, Cache: cache, Programs: map[string]string{f.system: unpacked(t, f.system)}}})
			single.good(t, f.system)
			if single.Pushed {
				t.Error("the same source made another program than pack did")
			}
		})
	}
}

// TestNoProgramForIt: the far side's system is known before anything is sent, and the error says what there is.
func TestNoProgramForIt(t *testing.T) {
	small := filepath.Join(t.TempDir(), "small.bundle")
	if err := command(filepath.Join(dir, "source"), "go", "run", "github.com/seed354a1416/deliveryboy/cmd/deliveryboy", "pack",
		"--program", "linux/"+runtime.GOARCH+"="+unpacked(t, "linux/"+runtime.GOARCH), "-o", small); err != nil {
		t.Fatal(err)
	}
	for name, make := range fars(t) {
		t.Run(name, func(t *testing.T) {
			f := make(t)
			o := call(t, Call{Via: f.via, Deploy: Options{On: true, Bundle: small}})
			want := `the far side is "` + f.system + `", this program is for "linux/` + runtime.GOARCH + `", and the bundle "` + small + `" has ["linux/` + runtime.GOARCH + `"]`
			if !strings.Contains(o.Err, want) {
				t.Errorf("got %s\nwant %s", o.Err, want)
			}
			o = call(t, Call{Via: f.via, Deploy: Options{On: true}})
			if !strings.Contains(o.Err, `the far side is "`+f.system+`"`) || !strings.Contains(o.Err, "make a bundle with deliveryboy pack") {
				t.Errorf("got %s", o.Err)
			}
		})
	}
}

// TestInstalledByHand: a program of another architecture may answer if the bundle has that very build, and otherwise not.
func TestInstalledByHand(t *testing.T) {
	other := filepath.Join(t.TempDir(), "other")
	if err := writeModule(other, strings.Replace(roamer, "printed there", "printed elsewhere", 1)); err != nil {
		t.Fatal(err)
	}
	for name, make := range fars(t) {
		t.Run(name, func(t *testing.T) {
			f := make(t)
			_, arch, _ := strings.Cut(f.system, "/")
			file := "/tmp/roamer-" + filepath.Base(dir)
			there := filepath.Join(f.root, file)
			t.Cleanup(func() { os.Remove(there) })
			install(t, unpacked(t, f.system), there)
			call(t, Call{Via: f.via, Program: file, Deploy: Options{Bundle: bundle}}).good(t, f.system)
			call(t, Call{Via: f.via, Program: file, Any: true}).good(t, f.system)
			o := call(t, Call{Via: f.via, Program: file})
			if !o.Skew || !strings.Contains(o.Err, "which is for another system, and which no bundle of Deploy has") {
				t.Errorf("without a bundle: %+v", o)
			}
			cmd := exec.Command("go", "build", "-trimpath", "-o", there, ".")
			cmd.Dir, cmd.Env = other, append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=mod", "GOWORK=off", "GOARCH="+arch)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			if o := call(t, Call{Via: f.via, Program: file, Deploy: Options{Bundle: bundle}}); !o.Skew || o.Answer.System != "" {
				t.Errorf("another program with the same functions: %+v", o)
			}
		})
	}
}

func install(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, content, 0o755) //nolint:gosec // a program
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestTheSameSourceMakesTheSameBundle, wherever it is, and whatever else is different.
func TestTheSameSourceMakesTheSameBundle(t *testing.T) {
	elsewhere := filepath.Join(t.TempDir(), "another/place")
	if err := writeModule(elsewhere, roamer); err != nil {
		t.Fatal(err)
	}
	again := filepath.Join(t.TempDir(), "b")
	t.Setenv("CGO_ENABLED", "1")
	if err := command(elsewhere, "go", "run", "github.com/seed354a1416/deliveryboy/cmd/deliveryboy", "pack",
		"--system", "linux/"+runtime.GOARCH+",linux/arm64,linux/386", "-o", again, "."); err != nil {
		t.Fatal(err)
	}
	mine, err := os.ReadFile(again)
	if err != nil {
		t.Fatal(err)
	}
	first, err := os.ReadFile(bundle)
	if err != nil || !bytes.Equal(mine, first) {
		t.Errorf("%d bytes and %d bytes, %v", len(mine), len(first), err)
	}
}
