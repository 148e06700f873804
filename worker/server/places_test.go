package server

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A hall is places, and who had to give way.
type hall struct {
	places
	gone []string
}

func newHall(all int) *hall { return &hall{places: places{all: all, of: map[string]int{}}} }

func (h *hall) enter(who string, guest bool) (*place, error) {
	n := h.of[who]
	return h.take(who, guest, func() { h.gone = append(h.gone, fmt.Sprint(who, n)) })
}

// fill takes places until there are n of somebody; those that work have said what they want.
func (h *hall) fill(t *testing.T, who string, n int, work bool) (all []*place) {
	t.Helper()
	for range n {
		p, err := h.enter(who, true)
		if err != nil || work && !p.settle() {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	return all
}

func (h *hall) wantGone(t *testing.T, want ...string) {
	t.Helper()
	if strings.Join(h.gone, " ") != strings.Join(want, " ") {
		t.Errorf("%q gave way; want %q", h.gone, want)
	}
}

func TestAGuestHasHalf(t *testing.T) {
	h := newHall(7)
	at := h.fill(t, "a", 4, true)
	if _, err := h.enter("a", true); err == nil || !strings.Contains(err.Error(), "4 connections of yours are open") {
		t.Errorf("the fifth: %v", err)
	}
	h.fill(t, "b", 3, true)
	for _, guest := range []bool{false, true} {
		if _, err := h.enter("c", guest); err == nil || err.Error() != "7 connections are open, which is all that there may be" {
			t.Errorf("one too many, a guest: %t: %v", guest, err)
		}
	}
	at[0].leave()
	at[0].leave()
	h.fill(t, "a", 1, false)
	h.wantGone(t)
	if n := h.count(); n != 7 {
		t.Errorf("%d places are taken", n)
	}
}

// TestTheServersUserHasAll: it takes the places of silent guests, however many it has, and no guest takes one of its own.
func TestTheServersUserHasAll(t *testing.T) {
	h := newHall(4)
	h.fill(t, "a", 2, false)
	for range 3 {
		p, err := h.enter("own", false)
		if err != nil || !p.settle() {
			t.Fatal(err)
		}
	}
	if _, err := h.enter("own", false); err != nil {
		t.Fatal(err)
	}
	h.wantGone(t, "a0", "a1")
	if _, err := h.enter("b", true); err == nil {
		t.Error("a guest took a place of the server's user")
	}
	if _, err := h.enter("own", false); err != nil {
		t.Errorf("a silent one of its own: %v", err)
	}
	h.wantGone(t, "a0", "a1", "own3")
}

// TestTheSilentGiveWay: each takes from itself first, then from whoever has the most, and nobody from one who has less.
func TestTheSilentGiveWay(t *testing.T) {
	h := newHall(8)
	first := h.fill(t, "a", 4, false)
	h.fill(t, "a", 1, true) // a has its half: its oldest goes
	h.wantGone(t, "a0")
	if first[0].settle() {
		t.Error("who gave way has its place still")
	}
	h.fill(t, "b", 3, false)
	h.fill(t, "c", 1, false)
	h.fill(t, "d", 1, false) // all are taken: the oldest of a goes
	h.wantGone(t, "a0", "a1")
	if h.of["a"] != 3 || h.count() != 8 {
		t.Errorf("a has %d, all are %d", h.of["a"], h.count())
	}
	if !first[2].settle() || !first[3].settle() {
		t.Error("others of a had to go")
	}
	h.fill(t, "d", 1, false) // a has none that is silent
	h.wantGone(t, "a0", "a1", "b0")
	h.fill(t, "d", 1, false) // of b and d, who have two now, the older
	h.wantGone(t, "a0", "a1", "b0", "b1")
	if _, err := h.enter("d", true); err != nil {
		t.Fatal(err)
	}
	if h.of["b"] != 1 || h.of["d"] != 3 {
		t.Errorf("d, who has the most, took from others: %v", h.of)
	}
}
