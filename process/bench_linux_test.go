package process_test

import (
	"context"
	"os"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/process"
)

// BenchmarkStart is how long /bin/true takes, next to the least that Go can do: vfork, exec and wait.
func BenchmarkStart(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	env := os.Environ()
	b.Run("floor", func(b *testing.B) {
		for b.Loop() {
			p, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{Env: env, Files: []*os.File{null, null, null}})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := p.Wait(); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("process", func(b *testing.B) { run(b, process.Config{Argv: []string{"/bin/true"}}) })
	b.Run("trampoline", func(b *testing.B) { run(b, process.Config{Argv: []string{"/bin/true"}, Umask: "022"}) })
	b.Run("syscall", func(b *testing.B) {
		for b.Loop() {
			pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{Env: env, Files: []uintptr{null.Fd(), null.Fd(), null.Fd()}})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := syscall.Wait4(pid, nil, 0, nil); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func run(b *testing.B, c process.Config) {
	for b.Loop() {
		p, err := process.Start(c)
		if err != nil {
			b.Fatal(err)
		}
		if s, err := p.Wait(context.Background()); err != nil || !s.Success() {
			b.Fatalf("%s, %v", &s, err)
		}
	}
}
