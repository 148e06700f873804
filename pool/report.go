package pool

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"

	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/internal/build"
)

// report answers a question about the worker, for the server: who it is, and what it does for this client. What its
// goroutines do is nobody's business.
func (r *relay) report(f wire.Frame) {
	var out bytes.Buffer
	text := func(key, value string) { fmt.Fprintf(&out, "%s %q\n", key, value) }
	number := func(key string, n int64) { text(key, strconv.FormatInt(n, 10)) }
	switch string(f.Payload) {
	case "s":
		r.mu.Lock()
		running, calls := len(r.tasks), r.calls
		r.mu.Unlock()
		number("executing", int64(running))
		number("queued", 0)
		number("calls", calls)
		number("streams", int64(r.mux.Streams()))
		number("goroutines", int64(runtime.NumGoroutine()))
		number("uptime", int64(time.Since(r.begun)))
	case "i":
		host, _ := os.Hostname()
		for _, e := range [][2]string{
			{"go", runtime.Version()}, {"build", build.ID()}, {"os", runtime.GOOS}, {"arch", runtime.GOARCH}, {"host", host}, {"cwd", "/"},
		} {
			text(e[0], e[1])
		}
		number("pid", int64(os.Getpid()))
		number("uid", int64(os.Getuid()))
		number("gid", int64(os.Getgid()))
	case "g":
		out.WriteString("the goroutines of a pool's server are not shown\n")
	}
	r.soon(func() { _ = r.wire.WriteFrame(wire.Status, wire.Answer|wire.End, f.Stream, out.Bytes()) })
}
