package process_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/seed354a1416/deliveryboy/process"
)

func TestGA47PIDFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.pid")
	if _, err := process.ReadPIDFile(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	p := started(t, process.Config{Cmdline: "sleep 1000"})
	for range 2 { // the second time it is its own already
		if err := process.WritePIDFile(path, p.PID()); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if pid, perr := process.ReadPIDFile(path); err != nil || perr != nil || pid != p.PID() || string(text) != strconv.Itoa(pid)+"\n" {
		t.Errorf("%q, %v, %v", text, err, perr)
	}
	var running *process.RunningError
	if err := process.WritePIDFile(path, os.Getpid()); !errors.As(err, &running) || running.PID != p.PID() {
		t.Errorf("%v", err)
	}
	if err := process.RemovePIDFile(path, os.Getpid()); err != nil { // another's
		t.Error(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if err := process.WritePIDFile(path, os.Getpid()); err != nil { // a stale one is replaced
		t.Error(err)
	}
	for range 2 {
		if err := process.RemovePIDFile(path, os.Getpid()); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	for _, text := range []string{"", "x", "-5\n", "0", "123456789012345678901234567890"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := process.ReadPIDFile(path); !errors.Is(err, strconv.ErrSyntax) {
			t.Errorf("%q: %v", text, err)
		}
		if err := process.WritePIDFile(path, os.Getpid()); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
	if err := process.WritePIDFile("/does/not/exist/pid", 1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%v are left, %v", left, err)
	}
}

// Of many that run, one has the file.
func TestGA47OnlyOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "app.pid")
	if err := os.WriteFile(path, []byte("stale"), 0o600); err != nil {
		t.Fatal(err)
	}
	var won atomic.Int32
	var all sync.WaitGroup
	for range 8 {
		p := started(t, process.Config{Cmdline: "sleep 1000"})
		all.Go(func() {
			err := process.WritePIDFile(path, p.PID())
			var running *process.RunningError
			if err == nil {
				won.Add(1)
			} else if !errors.As(err, &running) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if won.Load() != 1 {
		t.Errorf("%d have it", won.Load())
	}
}
