package job_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"os"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Measured is what measure finds.
type Measured struct {
	Name string
	Size int64
}

var measure = registry.Register("example.measure", func(_ context.Context, name string) (Measured, error) {
	fmt.Println("measuring", name)
	info, err := os.Stat(name)
	if err != nil {
		return Measured{}, err
	}
	return Measured{info.Name(), info.Size()}, nil
})

var wait = registry.Register("example.wait", func(ctx context.Context, d time.Duration) (string, error) {
	select {
	case <-time.After(d):
		return "waited", nil
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
})

// target is where the jobs of the examples run: in a fresh copy of this program. transport.Sudo{}, or any other way, would
// do as well.
var target = delivery.Once{Via: transport.Self{}}

func Example() {
	ctx := context.Background()
	j, err := job.Start(ctx, target, measure, "/dev/null", job.Options{Name: "small"})
	if err != nil {
		log.Fatal(err)
	}
	id := j.ID // all that another program needs

	again, err := job.Attach[Measured](ctx, target, id)
	if err != nil {
		log.Fatal(err)
	}
	for p, err := range again.Output(ctx, job.Offset{}, true) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: %s", p.Stream, p.Data)
	}
	m, err := again.Wait(ctx)
	fmt.Println(m.Name, m.Size, err)

	fmt.Println(again.Acknowledge(ctx))
	_, err = j.Wait(ctx)
	fmt.Println(errors.Is(err, job.ErrNotFound))
	// Output:
	// stdout: measuring /dev/null
	// null 0 <nil>
	// <nil>
	// true
}

// The function's own error is what Wait returns.
func ExampleJob_Wait() {
	ctx := context.Background()
	j, err := job.Start(ctx, target, measure, "/no/such/file")
	if err != nil {
		log.Fatal(err)
	}
	_, err = j.Wait(ctx)
	fmt.Println(errors.Is(err, fs.ErrNotExist))
	fmt.Println(j.Acknowledge(ctx))
	// Output:
	// true
	// <nil>
}

// A job that runs can be cancelled by anybody who may see it.
func ExampleHandle_Cancel() {
	ctx := context.Background()
	j, err := job.Start(ctx, target, wait, time.Hour)
	if err != nil {
		log.Fatal(err)
	}
	if err := j.Cancel(ctx); err != nil {
		log.Fatal(err)
	}
	_, err = j.Wait(ctx)
	i, _ := j.Info(ctx)
	fmt.Println(err != nil, i.Outcome)
	fmt.Println(j.Acknowledge(ctx))
	// Output:
	// true cancelled
	// <nil>
}

// An order that is given twice under one identifier runs once.
func ExampleOptions() {
	ctx := context.Background()
	o := job.Options{ID: job.NewID(), Queue: "measuring", Slots: 2, Keep: time.Hour}
	for range 2 {
		if _, err := job.Start(ctx, target, measure, "/dev/null", o); err != nil {
			log.Fatal(err)
		}
	}
	list, err := job.List(ctx, target)
	fmt.Println(len(list), err)

	j, err := job.Attach[Measured](ctx, target, o.ID)
	if err != nil {
		log.Fatal(err)
	}
	m, err := j.Wait(ctx)
	fmt.Println(m.Name, err)
	fmt.Println(j.Acknowledge(ctx))
	// Output:
	// 1 <nil>
	// null <nil>
	// <nil>
}

// Whoever wants nothing but that it runs gets the number of the keeper's process.
func ExampleFire() {
	pid, err := job.Fire(context.Background(), target, measure, "/dev/null")
	fmt.Println(pid > 0, err)
	// Output: true <nil>
}

// What nobody came for goes away.
func ExampleCollect() {
	c, err := job.Collect(context.Background(), target, job.Limits{Age: 30 * 24 * time.Hour, Count: 1000, Size: 10 << 30})
	fmt.Println(c.Jobs, err)
	// Output: 0 <nil>
}
