package pool_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
	"github.com/seed354a1416/deliveryboy/pool"
)

var other = pool.Peer{UID: stranger.UID + 1}

// guests are the rules for two of them.
func guests(functions ...string) (rules []pool.Rule) {
	for _, who := range []pool.Peer{stranger, other} {
		rules = append(rules, pool.Rule{User: fmt.Sprintf("#%d", who.UID), Functions: functions})
	}
	return rules
}

// What is kept for a guest has a limit, over all of its connections and for all kinds of calls; others are not touched by it.
func TestKeptPerUser(t *testing.T) {
	const most, size, calls = 2 << 20, 512 << 10, 40
	s := newServer(t, pool.ServeOptions{Rules: guests("big"), Pool: pool.Options{Size: 2}, MaxKeptPerUser: most})
	b := packed(t, func(c box.Courier) { _, _ = big.On(c)(size) })
	segments, err := b.Segments()
	must(t, err)
	before := heap()
	for range 2 {
		d := dialDeaf(t, s, stranger)
		for i := range uint32(calls / 2) {
			must(t, d.wire.WriteMessage(wire.Call, 2*i+1, segments))
		}
	}
	becomes1(t, s, func(s pool.Stats) bool { return s.Calls == calls && s.Busy == 0 })
	if grown := heap() - before; grown > 4*most {
		t.Errorf("%d calls of %d bytes: %d bytes are kept, where %d may be", calls, size, grown, most)
	}
	_, err = big.On(dial(t, s, stranger))(most)
	var over *pool.KeptError
	if !errors.As(err, &over) || !over.Ran || over.All || over.UID != stranger.UID || over.Limit != most {
		t.Errorf("%+v", err)
	}
	for _, who := range []pool.Peer{other, owner} {
		if got, err := big.On(dial(t, s, who))(most / 2); err != nil || len(got) != most/2 {
			t.Errorf("uid %d: %d bytes, %+v", who.UID, len(got), err)
		}
	}
	if got, err := big.On(dial(t, s, owner))(2 * most); err != nil || len(got) != 2*most {
		t.Errorf("the server's own user: %d bytes, %+v", len(got), err)
	}
}

// A guest who reads can have as much as it likes, one after the other; a call that is too long is not run.
func TestKeptIsLetGo(t *testing.T) {
	const most = 1 << 20
	s := newServer(t, pool.ServeOptions{Rules: guests("big", "echo"), Pool: pool.Options{Size: 1}, MaxKeptPerUser: most})
	c := dial(t, s, stranger)
	for range 5 {
		if got, err := big.On(c)(most * 3 / 4); err != nil || len(got) != most*3/4 {
			t.Fatalf("%d bytes, %+v", len(got), err)
		}
		if got, err := echo.On(c)(t.Context(), make([]byte, most/3)); err != nil || len(got) != most/3 {
			t.Fatalf("%d bytes, %+v", len(got), err)
		}
		before := s.Stats().Calls
		_, err := echo.On(c)(t.Context(), make([]byte, most+1))
		if over := new(pool.KeptError); !errors.As(err, &over) || over.Ran || s.Stats().Calls != before {
			t.Fatalf("%+v; %d calls ran", err, s.Stats().Calls-before)
		}
		_, err = big.On(c)(most + 1)
		if over := new(pool.KeptError); !errors.As(err, &over) || !over.Ran {
			t.Fatalf("%+v", err)
		}
	}
}

// All guests together have a limit too, which what one of them does not read counts against, until it is gone.
func TestKeptOfAll(t *testing.T) {
	const most = 1 << 20
	s := newServer(t, pool.ServeOptions{Rules: guests("big"), Pool: pool.Options{Size: 2}, MaxKept: most})
	segments, err := packed(t, func(c box.Courier) { _, _ = big.On(c)(most * 3 / 4) }).Segments()
	must(t, err)
	d := dialDeaf(t, s, stranger)
	must(t, d.wire.WriteMessage(wire.Call, 1, segments))
	c := dial(t, s, other)
	ask := func() error { _, err := big.On(c)(most / 2); return err }
	over := new(pool.KeptError)
	eventually(t, "there is too much", func() bool { return errors.As(ask(), &over) })
	if !over.All || over.Limit != most || over.UID != other.UID {
		t.Errorf("%+v", over)
	}
	if _, err := big.On(dial(t, s, owner))(most * 2); err != nil {
		t.Errorf("the server's own user: %+v", err)
	}
	d.in.Close()
	d.out.Close()
	eventually(t, "there is room", func() bool { return ask() == nil })
}

// What is refused is in the log, but not as often as it is refused: the first ones of each function, and how many there were.
func TestRefusedCallsFillNoLog(t *testing.T) {
	const often = 500
	book := &logBook{}
	s := newServer(t, pool.ServeOptions{Rules: guests("pid"), Pool: pool.Options{Size: 1}, Log: book.logger()})
	refuse := func(who pool.Peer, n int, call func(c box.Courier) error) {
		c, err := pool.DialVia(t.Context(), s.Via(who))
		must(t, err)
		for range n {
			if err := call(c); !errors.As(err, new(*pool.DeniedError)) {
				t.Fatalf("%+v", err)
			}
		}
		must(t, c.Close())
	}
	bigCall := func(c box.Courier) error { _, err := big.On(c)(1); return err }
	refuse(stranger, often, bigCall)
	refuse(stranger, 1, func(c box.Courier) error { return exit.On(c)(context.Background(), 0) })
	refuse(other, 1, bigCall)
	must(t, s.Close())
	said := book.String()
	lines := strings.Count(said, "msg=refused function=big")
	sum := lines - 1 // of the other guest
	for _, left := range regexp.MustCompile(`peer="uid 54321, function big" "left out"=(\d+)`).FindAllStringSubmatch(said, -1) {
		n, _ := strconv.Atoi(left[1])
		sum += n
	}
	if lines > often/5 || sum != often {
		t.Errorf("%d lines, %d of %d calls are told of\n%.3000s", lines, sum, often, said)
	}
	if strings.Count(said, "msg=refused function=exit") != 1 {
		t.Errorf("the other function that was refused is not told\n%.3000s", said)
	}
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func eventually(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("it does not come about: %s", what)
		}
	}
}
