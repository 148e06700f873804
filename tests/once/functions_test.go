package once

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"log"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/box/boxtest"
	"github.com/seed354a1416/deliveryboy/registry"
)

// What the tests deliver. It all stands here, because the far side has to know it too.
var (
	whoami    = registry.Register("whoami", func() (Who, error) { return who() })
	echo      = registry.Register("echo", func(b []byte) []byte { return b })
	fail      = registry.Register("boxtest.fail", boxtest.Make)
	explode   = registry.Register("explode", func() error { panic(fmt.Errorf("wrapped: %w", os.ErrPermission)) })
	exit      = registry.Register("exit", func(code int) error { os.Exit(code); return nil })
	fatal     = registry.Register("fatal", func(text string) error { log.Fatal(text); return nil })
	goexit    = registry.Register("goexit", func() error { runtime.Goexit(); return nil })
	suicide   = registry.Register("suicide", func(sig int) error { return selfSignal(sig) })
	nilMap    = registry.Register("nilmap", nilMapInGoroutine)
	talk      = registry.Register("talk", talkative)
	flood     = registry.Register("flood", floodOutput)
	sleepy    = registry.Register("sleepy", sleepUntilCancelled)
	stubborn  = registry.Register("stubborn", ignoreCancellation)
	forks     = registry.Register("forks", leaveChildren)
	secret    = registry.Register("secret", keepSecret)
	settings  = registry.Register("settings", func() (Settings, error) { return readSettings() })
	stdin     = registry.Register("stdin", func() (string, error) { b, err := os.ReadFile("/dev/stdin"); return string(b), err })
	deadline  = registry.Register("deadline", func(ctx context.Context) bool { _, ok := ctx.Deadline(); return ok })
	printNear = registry.Register("print", func(text string) { fmt.Print(text) })
)

// Who is who runs a function.
type Who struct {
	UID, PID int
	Host     string
}

func who() (Who, error) {
	host, err := os.Hostname()
	return Who{os.Getuid(), os.Getpid(), host}, err
}

func selfSignal(sig int) error {
	if err := exec.Command("kill", "-"+strconv.Itoa(sig), strconv.Itoa(os.Getpid())).Run(); err != nil {
		return err
	}
	time.Sleep(time.Minute)
	return nil
}

func nilMapInGoroutine() error {
	go func() {
		var m map[string]int
		m["a"] = 1
	}()
	time.Sleep(time.Minute)
	return nil
}

// talkative writes by itself, through a child and through raw descriptors, without a newline at the end.
func talkative(word string) (int, error) {
	fmt.Print(word, " from Go\r\n")
	cmd := exec.Command("sh", "-c", "echo out; echo err >&2")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return 0, err
	}
	fmt.Fprint(os.Stderr, "\x00\xff")
	fmt.Print("no newline")
	return len(word), nil
}

// floodOutput writes n pseudo-random bytes to both streams and returns their digests.
func floodOutput(n int) (out, err [32]byte, failed error) {
	block := make([]byte, 64<<10)
	for i := range block {
		block[i] = byte(i * 7)
	}
	for fd, f := range []*os.File{os.Stdout, os.Stderr} {
		h := sha256.New()
		for left := n; left > 0; left -= len(block) {
			block[0] = byte(left >> 16)
			piece := block[:min(left, len(block))]
			h.Write(piece)
			if _, e := f.Write(piece); e != nil {
				return out, err, e
			}
		}
		copy([]*[32]byte{&out, &err}[fd][:], h.Sum(nil))
	}
	return out, err, nil
}

// sleepUntilCancelled says that it runs, and cleans up when it is cancelled.
func sleepUntilCancelled(ctx context.Context, marker string) error {
	fmt.Println("running", os.Getpid())
	<-ctx.Done()
	if marker != "" {
		if err := os.WriteFile(marker, []byte(context.Cause(ctx).Error()), 0o600); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// ignoreCancellation never returns by itself, and has children that hide in sessions of their own.
func ignoreCancellation(ctx context.Context) error {
	if err := exec.Command("setsid", "-f", "sleep", "1000").Run(); err != nil {
		return err
	}
	fmt.Println("running", os.Getpid())
	select {}
}

// leaveChildren starts children that outlive it, one of them a daemon, and returns.
func leaveChildren(seconds string) error {
	if err := exec.Command("setsid", "-f", "sleep", seconds).Run(); err != nil {
		return err
	}
	return exec.Command("sleep", seconds).Start()
}

// keepSecret says that it runs, and waits for its caller to have looked around.
func keepSecret(ctx context.Context, word string, pause time.Duration) (string, error) {
	fmt.Println("running", os.Getpid())
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
	return strings.ToUpper(word), nil
}

// Settings are what a worker finds itself in.
type Settings struct {
	Dir, Umask, Nice string
	Env              []string
	Session          bool
	FDs              []string
}

func readSettings() (Settings, error) {
	var s Settings
	var err error
	if s.Dir, err = os.Getwd(); err != nil {
		return s, err
	}
	s.Env = os.Environ()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return s, err
	}
	for line := range strings.Lines(string(status)) {
		if v, ok := strings.CutPrefix(line, "Umask:"); ok {
			s.Umask = strings.TrimSpace(v)
		}
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return s, err
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	s.Session = fields[3] == strconv.Itoa(os.Getpid()) && fields[4] == "0" // session leader without a terminal
	s.Nice = fields[16]
	fds, err := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		link, _ := os.Readlink("/proc/self/fd/" + fd.Name())
		s.FDs = append(s.FDs, fd.Name()+" "+link)
	}
	return s, err
}
