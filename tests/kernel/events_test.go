//go:build linux

package kernel

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// TestGA39EventsGoOn: a watch of events goes on over an upgrade and the death of the server, and says that something may have
// been missed; by hand it is one of lines.
func TestGA39EventsGoOn(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	c := open(t, o)
	w, err := open(t, o).WatchEvents(limited(t), "value.*.set")
	must(t, err)
	next := func(want string) {
		t.Helper()
		for {
			list, err := w.Read(limited(t))
			must(t, err)
			for _, n := range list {
				if n.What == "set" && n.Name != "v" {
					t.Errorf("%+v", n)
				}
				if n.What == want {
					return
				}
			}
		}
	}
	person := dial(t, set.Socket)
	person.say("watch events value\n")
	quit, work := make(chan struct{}), sync.WaitGroup{}
	work.Go(func() { // until the person's command is there
		for {
			select {
			case <-quit:
				return
			default:
				if c.Set(t.Context(), "v", "1") != nil {
					return
				}
			}
		}
	})
	got := person.expect("] ")
	close(quit)
	work.Wait()
	next("set")
	if !strings.HasPrefix(got, "value.v.set 1") && !strings.HasPrefix(got, "value.v.set 2") {
		t.Errorf("by hand: %q", got)
	}
	_, err = c.Upgrade(limited(t), program(t, set, "one"))
	must(t, err)
	person.say("\n") // what was shown before
	if got := person.expect("] "); got != "missed unknown\n] " {
		t.Errorf("by hand, after the upgrade: %q", got)
	}
	person.say("q\n")
	person.expect("Stopped watching\n> ")
	next(kernel.Missed)
	must(t, c.Set(limited(t), "v", "2"))
	next("set")
	_, server := roles(t, set.Socket)
	c = another(t, o, server)
	next(kernel.Missed)
	must(t, c.Set(limited(t), "v", "3"))
	next("set")
	must(t, w.Close(limited(t)))
}

// TestGuestsEventsAndRawSockets: another user at root's kernel is told nothing about what is root's, and gets no raw socket.
func TestGuestsEventsAndRawSockets(t *testing.T) {
	set := place(t, 0)
	set.AllowUIDs = []int{st.UID}
	o := start(t, 0, set)
	c := open(t, o)
	said := make(chan string, 1)
	var work sync.WaitGroup
	defer work.Wait()
	work.Go(func() {
		said <- netcat(t, st.UID, set.Socket, "make socket r type=raw protocol=1\nwatch events\n\n\nset mine 1\nq\nquit\n")
	})
	for begin := time.Now(); time.Since(begin) < time.Minute; time.Sleep(time.Millisecond) {
		must(t, c.Set(limited(t), "secret", "1"))
		select {
		case text := <-said:
			if strings.Contains(text, "secret") || !strings.Contains(text, "permission denied: root's kernel makes raw sockets for root alone") {
				t.Errorf("a guest reads %q", text)
			}
			return
		default:
		}
	}
	t.Error("the guest's commands have no end")
}
