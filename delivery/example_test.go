package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

func TestMain(m *testing.M) {
	delivery.Main() // the test binary plays the worker
	os.Exit(m.Run())
}

// A courier as a value: the examples run a fresh copy of this program; transport.Sudo{} makes it root's.
var fresh = delivery.Once{Via: transport.Self{}}

var (
	count    = registry.Register("count", func(words []string) map[string]int { return counted(words) })
	readFile = delivery.Wrap(os.ReadFile, fresh)
	wait     = registry.Register("wait", func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() })
	greet    = registry.Register("greet", func(name string) { fmt.Printf("hello, %s\n", name) })
	divide   = registry.Register("divide", func(a, b int) int { return a / b })
)

func counted(words []string) map[string]int {
	m := map[string]int{}
	for _, w := range words {
		m[w]++
	}
	return m
}

func ExampleOnce() {
	fmt.Println(count.On(fresh)([]string{"a", "b", "a"}))
	// Output: map[a:2 b:1]
}

func ExampleOnce_output() {
	greet.On(fresh)("world")

	var b strings.Builder
	quiet := fresh
	quiet.Stdout = &b
	greet.On(quiet)("nobody")
	fmt.Printf("kept: %q\n", b.String())
	// Output:
	// hello, world
	// kept: "hello, nobody\n"
}

func ExampleOnce_cancel() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	err := wait.On(fresh)(ctx)
	fmt.Println(errors.Is(err, context.DeadlineExceeded))
	// Output: true
}

func ExampleOnce_panic() {
	defer func() {
		var p *box.PanicError
		if err, ok := recover().(error); ok && errors.As(err, &p) {
			fmt.Println(p)
		}
	}()
	divide.On(fresh)(1, 0)
	// Output: panic: runtime error: integer divide by zero
}

func ExampleWrap() {
	_, err := readFile("/does/not/exist")
	var remote *box.RemoteError
	fmt.Println(errors.Is(err, fs.ErrNotExist), errors.As(err, &remote), err)
	// Output: true true open /does/not/exist: no such file or directory
}

func ExampleWorkerArgv() {
	fmt.Println(delivery.WorkerArgv("/opt/app", "chown", "restart"))
	// Output: [/opt/app __deliver chown,restart]
}

func ExampleOpen() {
	ctx := context.Background()
	worker, err := delivery.Open(ctx, transport.Self{}) // transport.Sudo{} makes it root's
	if err != nil {
		fmt.Println(err)
		return
	}
	defer worker.Close()

	first, _ := pid.On(worker)()
	second, _ := pid.On(worker)()
	fmt.Println("one worker for both calls:", first == second)
	// Output: one worker for both calls: true
}

func ExampleOpen_pipeline() {
	ctx := context.Background()
	worker, err := delivery.Open(ctx, transport.Self{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer worker.Close()

	p := worker.Pipeline() // all of it goes in one round trip
	a := session.Queue(p, ctx, double, 21)
	b := session.Queue(p, ctx, broken, "no space")
	c := session.Queue(p, ctx, double, 4)
	fmt.Println(p.Run(ctx))
	n, _ := a.Result()
	_, second := b.Result()
	_, third := c.Result()
	fmt.Println(n, second, third)
	// Output:
	// no space
	// 42 no space no space
}

// An io.Reader stays here, and the function reads from it while it runs.
func ExampleOpen_liveReader() {
	ctx := context.Background()
	worker, err := delivery.Open(ctx, transport.Self{})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer worker.Close()

	fmt.Println(countIn.On(worker)(ctx, strings.NewReader("bytes that stay here")))
	// Output: 20 <nil>
}
