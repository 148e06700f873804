package busybox

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// roamer calls itself where the system is that of 32 bits, as far as uname goes: there, the file of the bundle runs.
const roamer = `package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

type Answer struct {
	Arch string
	Big  int64
	Took time.Duration
	Deep map[string][]uint
}

var ask = registry.Register("ask", func(a Answer) (Answer, error) { a.Arch = runtime.GOARCH; return a, nil })

func main() {
	delivery.Main()
	via := transport.Command{Prefix: []string{"setarch", "i386"}}
	o := session.Options{Deploy: deploy.Options{On: true, Cache: os.Args[1], Bundle: map[string]string{"linux/386": os.Args[2]}}}
	for range 2 {
		s, err := delivery.Open(context.Background(), via, o)
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		a, err := ask.On(s)(Answer{Big: 1 << 40, Deep: map[string][]uint{"a": {1}}})
		fmt.Println(a, err, s.Deployed().Pushed, s.Close())
	}
	o.Deploy.Bundle = nil
	_, err := delivery.Open(context.Background(), via, o)
	fmt.Println(err)
}
`

func TestAnotherArchitecture(t *testing.T) {
	if runtime.GOOS+"/"+runtime.GOARCH != "linux/amd64" {
		t.Skip("NOT TESTED: needs a system that runs programs of another one, as linux/amd64 does of linux/386")
	}
	here, err := filepath.Abs("../../..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mod := "module example.org/roamer\n\ngo 1.26.0\n\nrequire github.com/seed354a1416/deliveryboy v0.0.0\n\nreplace github.com/seed354a1416/deliveryboy => " + here + "\n"
	sum, err := os.ReadFile(filepath.Join(here, "go.sum"))
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": mod, "go.sum": string(sum), "main.go": roamer} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, arch := range []string{"amd64", "386"} {
		build := exec.Command("go", "build", "-mod=mod", "-o", arch, ".")
		build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0", "GOARCH="+arch)
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	if out, err := exec.Command(filepath.Join(dir, "386"), "__digest", "x").CombinedOutput(); err != nil || string(out) != "x\n" {
		t.Skipf("NOT TESTED: this system runs no programs of 32 bits: %v %s", err, out)
	}
	out, err := exec.Command(filepath.Join(dir, "amd64"), filepath.Join(dir, "cache"), filepath.Join(dir, "386")).CombinedOutput()
	want := "{386 1099511627776 0s map[a:[1]]} <nil> true <nil>\n{386 1099511627776 0s map[a:[1]]} <nil> false <nil>\n"
	if err != nil || !strings.HasPrefix(string(out), want) || !strings.Contains(string(out), `the far side is "linux/386", this program is for "linux/amd64"`) {
		t.Errorf("%v\n%s", err, out)
	}
}
