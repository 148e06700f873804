package tests

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// stranger is a program of another module that delivers functions of all shapes through sudo, as an ordinary user.
const stranger = `package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

type Server struct{ Name string; Ports []int }

func (s Server) Describe(prefix string) string { return fmt.Sprint(prefix, s.Name, s.Ports, os.Getuid()) }

type Options struct{ Deep map[string][]int; Limit *int }

func three(ctx context.Context, o Options, m map[string]Options, p *Server) (int, *Server, map[string]int, error) {
	if p == nil {
		return *o.Limit, nil, nil, fs.ErrInvalid
	}
	p.Name += "!"
	return len(m), p, map[string]int{"uid": os.Getuid()}, nil
}

func Count[T comparable](list []T, what T) (n int) {
	for _, v := range list {
		if v == what {
			n++
		}
	}
	return n
}

var (
	root     = delivery.Once{Via: transport.Sudo{}}
	chown    = delivery.Wrap(os.Chown, root)
	readFile = delivery.Wrap(os.ReadFile, root)
	describe = delivery.Wrap(Server.Describe, root)
	count    = registry.Register("count.strings", Count[string])
	threeOn  = registry.Register("three", three).On(root)
)

func main() {
	delivery.Main()
	st := stage.Enter(stage.Options{})
	if ok, why := st.Has(stage.Sudo); !ok {
		fmt.Println("SKIP", why)
		return
	}
	if _, err := os.ReadFile("/etc/shadow"); !errors.Is(err, fs.ErrPermission) {
		panic("this is no ordinary user")
	}
	shadow, err := readFile("/etc/shadow")
	fmt.Println("shadow", len(shadow) > 0, err)
	file := os.TempDir() + "/owned"
	fmt.Println("write", os.WriteFile(file, nil, 0o600))
	fmt.Println("chown", chown(file, 4242, 4243))
	fmt.Println("chown missing", errors.Is(chown("/nowhere", 1, 1), fs.ErrNotExist))
	fmt.Println("method", describe(Server{"web", []int{80}}, "a "))
	fmt.Println("generic", count.On(root)([]string{"a", "b", "a"}, "a"))
	zero := 0
	n, p, m, err := threeOn(context.Background(), Options{Limit: &zero}, map[string]Options{"a": {}}, &Server{Name: "x"})
	fmt.Println("three", n, p.Name, m["uid"], err)
	n, p, _, err = threeOn(context.Background(), Options{Limit: &zero}, nil, nil)
	fmt.Println("nil", n, p, errors.Is(err, fs.ErrInvalid))
}
`

const strangerSays = `shadow true <nil>
write <nil>
chown <nil>
chown missing true
method a web[80] 0
generic 2
three 1 x! 0 <nil>
nil 0 <nil> true
`

func TestAProgramOfAnotherModule(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("needs root, to make an ordinary user with a sudo rule")
	}
	here, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	mod := "module example.org/foreign\n\ngo 1.26.0\n\nrequire github.com/seed354a1416/deliveryboy v0.0.0\n\nreplace github.com/seed354a1416/deliveryboy => " + here + "\n"
	sum, err := os.ReadFile("../go.sum")
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{"go.mod": mod, "go.sum": string(sum), "main.go": stranger} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-mod=mod", "-o", "foreign", ".")
	build.Dir, build.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	run := exec.Command(filepath.Join(dir, "foreign"))
	run.Dir = dir
	out, err := run.CombinedOutput()
	if strings.HasPrefix(string(out), "SKIP") {
		if os.Getenv("CI") == "true" {
			t.Fatal(string(out))
		}
		t.Skip(string(out))
	}
	if err != nil || string(out) != strangerSays {
		t.Errorf("%v\n%s\nwant:\n%s", err, out, strangerSays)
	}
}
