package server_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
	"github.com/seed354a1416/deliveryboy/kernel/server"
)

// TestT50ManyConnections: a thousand that say nothing, or half of something, and one more that is served.
func TestT50ManyConnections(t *testing.T) {
	var limit unix.Rlimit
	must(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	if limit.Cur < 4096 {
		t.Skipf("RLIMIT_NOFILE is %d", limit.Cur)
	}
	o := kerneltest.Start(t)
	for i := range 1000 {
		k := call(t, o)
		if i%2 == 0 {
			_, err := k.conn.Write([]byte("set half"))
			must(t, err)
		}
	}
	k := dial(t, o)
	slowest := time.Duration(0)
	for range 200 {
		begin := time.Now()
		if got := k.say("set a b"); got != "" {
			t.Fatalf("it says %q", got)
		}
		slowest = max(slowest, time.Since(begin))
	}
	t.Logf("with 1000 idle connections, the slowest of 200 answers took %s", slowest)
}

// TestT50PerUser: one user has so many connections and no more, and gets another for one that ends.
func TestT50PerUser(t *testing.T) {
	o := kerneltest.StartWith(t, server.Options{Connections: 3})
	var list []*talk
	for range 3 {
		list = append(list, dial(t, o))
	}
	if got := call(t, o).closed(); got != "Error: you have more connections than one user may have; close some\n" {
		t.Errorf("one too many: %q", got)
	}
	_, err := kernel.Open(t.Context(), o)
	if err == nil || !strings.Contains(err.Error(), "you have more connections") {
		t.Errorf("the client says %v", err)
	}
	_, _ = list[0].conn.Write([]byte("quit\n"))
	list[0].closed()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if k := call(t, o); k.reply() == kernel.Banner {
			break
		} else if time.Since(begin) > 30*time.Second {
			t.Fatal("the place is not given to another")
		}
	}
}

// TestT50Memory: one user's unfinished commands and unread replies have a limit together, and end with their connections.
func TestT50Memory(t *testing.T) {
	o := kerneltest.StartWith(t, server.Options{Memory: 4 << 20})
	half := func() *talk {
		k := dial(t, o)
		_, _ = k.conn.Write([]byte("set a {4194304}\n" + strings.Repeat("x", 1500<<10))) // one that is refused does not take all of it
		return k
	}
	const full = "Error: your unfinished commands and unread replies are more than 4194304 bytes together; come again later"
	a, b := half(), half()
	for begin := time.Now(); ; { // until the kernel has read both
		third := half()
		must(t, third.conn.SetReadDeadline(time.Now().Add(100*time.Millisecond)))
		if got := third.reply(); strings.HasPrefix(got, full) {
			break
		}
		third.conn.Close()
		if time.Since(begin) > 30*time.Second {
			t.Fatal("there is no limit")
		}
	}
	small := dial(t, o)
	if got := small.say("set small yes"); got != "" {
		t.Errorf("a small command meanwhile: %q", got)
	}
	a.conn.Close()
	b.conn.Close()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		if got := dial(t, o).say(fmt.Sprintf("set a {%d}\n%s", 1<<20, strings.Repeat("x", 1<<20))); got == "" {
			break
		} else if time.Since(begin) > 30*time.Second {
			t.Fatalf("afterwards: %q", got)
		}
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) { // what the other connections had is given back after their replies
		got := small.say("get a")
		if len(got) == 1<<20+1 {
			break
		}
		if !strings.HasPrefix(got, full) || time.Since(begin) > 30*time.Second {
			t.Fatalf("a reply of %d bytes: %.80q", len(got), got)
		}
	}
	must(t, func() error { // and a reply that would be more
		c, err := kernel.Open(t.Context(), o)
		if err != nil {
			return err
		}
		defer c.Close()
		if err := c.Set(t.Context(), "b", strings.Repeat("y", 1500<<10)); err != nil {
			return err
		}
		if _, err := c.Values(t.Context()); !errors.Is(err, kernel.ErrLimit) {
			t.Errorf("a reply over the limit: %v", err)
		}
		return nil
	}())
}

// TestPA09SlowReader: somebody who sends and does not read does not keep others waiting.
func TestPA09SlowReader(t *testing.T) {
	o := kerneltest.Start(t)
	c, err := kernel.Open(t.Context(), o)
	must(t, err)
	defer c.Close()
	must(t, c.Set(t.Context(), "big", strings.Repeat("x", 1<<20)))
	deaf := dial(t, o)
	must(t, deaf.conn.SetWriteDeadline(time.Now().Add(200*time.Millisecond)))
	n := 0
	for ; n < 10_000; n++ {
		if _, err := deaf.conn.Write([]byte("get big\n")); err != nil {
			break
		}
	}
	if n == 10_000 {
		t.Error("it takes commands without end from somebody who reads no reply")
	}
	var work sync.WaitGroup
	for range 4 {
		work.Go(func() {
			if got, err := c.Get(t.Context(), "big"); len(got) != 1<<20 || err != nil {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
	work.Wait()
}

// TestT50CostlyPatterns: twenty thousand patterns for twenty thousand values take hardly longer than one: the others would have
// to wait meanwhile. One by one it would be a thousand times as long and more, whatever the machine.
func TestT50CostlyPatterns(t *testing.T) {
	o := kerneltest.Start(t)
	k := dial(t, o)
	for i := range 20000 {
		if got := k.say(fmt.Sprintf("set v%05d x", i)); got != "" {
			t.Fatalf("it says %q", got)
		}
	}
	took := func(line string) time.Duration {
		least := time.Hour
		for range 3 {
			begin := time.Now()
			if got := k.say(line); got != "" {
				t.Fatalf("it says %q", got)
			}
			least = min(least, time.Since(begin))
		}
		return least
	}
	one, many := took("list values z*"), took("list values"+strings.Repeat(" z*", 20000))
	t.Logf("one pattern: %s, 20000: %s", one, many)
	if many > 200*one {
		t.Errorf("20000 patterns take %d times as long as one", many/one)
	}
}
