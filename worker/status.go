package worker

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/user"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/internal/build"
)

// maxDump is the most that a dump of all goroutines may take.
const maxDump = 4 << 20

// report answers a question about the worker. It does so while functions run: nothing here waits for them.
func (s *server) report(f wire.Frame) {
	question := string(f.Payload)
	go func() { // ends with the connection at the latest
		var text []byte
		switch question {
		case "s":
			text = s.status()
		case "i":
			text = s.info()
		case "g":
			text = dump()
		}
		for {
			n := min(len(text), wire.MaxPayload)
			flags := wire.Answer
			if n == len(text) {
				flags |= wire.End
			}
			if err := s.wire.WriteFrame(wire.Status, flags, f.Stream, text[:n]); err != nil || n == len(text) {
				return
			}
			text = text[n:]
		}
	}()
}

func (s *server) status() []byte {
	s.mu.Lock()
	executing, waiting, calls := s.running, len(s.tasks)-s.running, s.calls
	s.mu.Unlock()
	var out lines
	out.number("executing", int64(executing))
	out.number("queued", int64(waiting))
	out.number("calls", calls)
	out.number("streams", int64(s.mux.Streams()))
	out.number("goroutines", int64(runtime.NumGoroutine()))
	out.number("rss", resident())
	out.number("uptime", int64(time.Since(s.begun)))
	return out.Bytes()
}

func (s *server) info() []byte {
	var out lines
	out.text("go", runtime.Version())
	out.text("build", build.ID())
	out.text("os", runtime.GOOS)
	out.text("arch", runtime.GOARCH)
	host, _ := os.Hostname()
	out.text("host", host)
	dir, _ := os.Getwd()
	out.text("cwd", dir)
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
		out.text("user", u.Username)
	}
	out.number("pid", int64(os.Getpid()))
	out.number("uid", int64(os.Getuid()))
	out.number("gid", int64(os.Getgid()))
	groups, _ := os.Getgroups()
	for _, g := range groups {
		out.number("groups", int64(g))
	}
	return out.Bytes()
}

// lines are `key "value"` lines, as those of the handshake.
type lines struct{ bytes.Buffer }

func (l *lines) text(key, value string)     { fmt.Fprintf(l, "%s %q\n", key, value) }
func (l *lines) number(key string, n int64) { l.text(key, strconv.FormatInt(n, 10)) }

// resident is how much memory the process has, in bytes; 0 where that cannot be told.
func resident() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// dump is what all goroutines do.
func dump() []byte {
	for size := 64 << 10; ; size *= 2 {
		buf := make([]byte, size)
		if n := runtime.Stack(buf, true); n < size || size >= maxDump {
			return buf[:n]
		}
	}
}

// signal sends the worker a signal, as kill would.
func (s *server) signal(f wire.Frame) {
	if len(f.Payload) != 4 {
		return
	}
	if n := binary.BigEndian.Uint32(f.Payload); n > 0 && n < 65 {
		_ = syscall.Kill(os.Getpid(), syscall.Signal(n))
	}
}
