//go:build linux

package kernel

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// ends waits until nothing of a kernel is left, with its socket.
func ends(t *testing.T, set kernel.Settings, within time.Duration) bool {
	t.Helper()
	for begin := time.Now(); time.Since(begin) < within; time.Sleep(5 * time.Millisecond) {
		if len(kernels(t, set.Socket)) == 0 {
			if _, err := os.Lstat(set.Socket); err == nil {
				t.Errorf("it has ended, and its socket is left")
			}
			return true
		}
	}
	return false
}

// TestTerminatedWhilePausing: SIGTERM, to either process, while the kernel waits for a connection to come to rest before it
// becomes another program. It is obeyed.
func TestTerminatedWhilePausing(t *testing.T) {
	for _, who := range []string{"holder", "server"} {
		t.Run(who, func(t *testing.T) {
			set := place(t, st.UID)
			o := start(t, st.UID, set)
			c := open(t, o)
			must(t, c.Set(limited(t), "big", strings.Repeat("x", 4<<20)))
			deaf := dial(t, set.Socket)
			deaf.say("get big\n")
			holder, server := roles(t, set.Socket)
			one := program(t, set, "one")
			var work sync.WaitGroup
			defer work.Wait()
			work.Go(func() { _, _ = c.Upgrade(limited(t), one) })
			for begin := time.Now(); ; time.Sleep(time.Millisecond) {
				if text, _ := os.ReadFile(filepath.Join(set.State, "log")); strings.Contains(string(text), "becoming another program") {
					break
				} else if time.Since(begin) > time.Minute {
					t.Fatalf("no upgrade begins: %s", text)
				}
			}
			must(t, syscall.Kill(map[string]int{"holder": holder, "server": server}[who], syscall.SIGTERM))
			if !deaf.reads("xxx\n> ") {
				t.Errorf("what was asked before is not answered")
			}
			if !ends(t, set, time.Minute) {
				t.Errorf("SIGTERM was forgotten: %+v", kernels(t, set.Socket))
			}
		})
	}
}

// TestTerminatedAnyTime: SIGTERM at any moment of an upgrade, to either process.
func TestTerminatedAnyTime(t *testing.T) {
	set := place(t, st.UID)
	one := program(t, set, "one")
	long := time.Duration(0) // how long one takes here
	for i := range rounds(12) {
		o := start(t, st.UID, set)
		c, other := open(t, o), open(t, o)
		if i == 0 {
			began := time.Now()
			_, err := c.Upgrade(limited(t), st.Binary)
			must(t, err)
			long = time.Since(began)
		}
		holder, server := roles(t, set.Socket)
		pid, who := holder, "holder"
		if i%2 == 0 {
			pid, who = server, "server"
		}
		var work sync.WaitGroup
		work.Go(func() { _, _ = c.Upgrade(limited(t), one) })
		work.Go(func() {
			for begin := time.Now(); other.Set(limited(t), "v", "1") == nil && time.Since(begin) < time.Minute; {
			}
		})
		delay := time.Duration(rand.Int64N(int64(long + long/2)))
		time.Sleep(delay) // any moment, and not one that something can be waited for
		_ = syscall.Kill(pid, syscall.SIGTERM)
		if !ends(t, set, 40*time.Second) {
			t.Fatalf("round %d: SIGTERM to the %s after %s was forgotten: %+v", i, who, delay, kernels(t, set.Socket))
		}
		_ = c.Close()
		_ = other.Close()
		work.Wait()
	}
}
