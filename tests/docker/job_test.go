package docker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
)

// Found is what look finds.
type Found struct {
	UID, PID int
	Size     int64
}

var look = registry.Register("look", func(ctx context.Context, name string) (Found, error) {
	fmt.Println("looking for", name)
	select {
	case <-time.After(200 * time.Millisecond): // longer than the one who asked lives
	case <-ctx.Done():
		return Found{}, context.Cause(ctx)
	}
	info, err := os.Stat(name)
	if err != nil {
		return Found{}, err
	}
	return Found{os.Getuid(), os.Getpid(), info.Size()}, nil
})

// playRole is another program: it starts a job in the container, and ends.
func playRole(role, arg string) int {
	container, file, ok := strings.Cut(arg, "|")
	if role != "start" || !ok {
		return 64
	}
	j, err := job.Start(context.Background(), delivery.Once{Via: through(container), Program: program}, look, file)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%+v\n", err)
		return 1
	}
	fmt.Println(j.ID)
	return 0
}

// One program starts a job in the container and ends; another one takes the result.
func TestJobInAContainer(t *testing.T) {
	via := into(t)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	s, err := delivery.Open(ctx, via, session.Options{Program: program})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	defer s.Close()
	for _, file := range []string{program, "/no/such/file"} {
		cmd := exec.CommandContext(ctx, "/proc/self/exe")
		cmd.Env = append(os.Environ(), roleVar+"=start", argVar+"="+container+"|"+file)
		cmd.Stderr = os.Stderr
		id, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		j, err := job.Attach[Found](ctx, s, strings.TrimSpace(string(id)))
		if err != nil {
			t.Fatalf("%+v", err)
		}
		var text strings.Builder
		for p, err := range j.Output(ctx, job.Offset{}, true) {
			if err != nil {
				t.Fatalf("%+v", err)
			}
			text.Write(p.Data)
		}
		if text.String() != "looking for "+file+"\n" {
			t.Errorf("output %q", text.String())
		}
		got, err := j.Wait(ctx)
		if file == program && (err != nil || got.UID != 0 || got.Size == 0) {
			t.Errorf("%+v, %+v", got, err)
		}
		if file != program && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%+v", err)
		}
		if err := j.Acknowledge(ctx); err != nil {
			t.Errorf("%+v", err)
		}
		if _, err := j.Wait(ctx); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("after it was acknowledged: %+v", err)
		}
	}
}
