package event

import (
	"fmt"
	"testing"
)

// TestPatterns: what is a pattern, and what it stands for.
func TestPatterns(t *testing.T) {
	exit := &Event{Kind: Process, Name: "app.web", What: "exit"}
	set := &Event{Kind: Value, Name: "color", What: "set"}
	for text, want := range map[string][2]bool{
		"*": {true, true}, "process": {true, false}, "process.*": {true, false}, "process.app.web": {true, false}, "process.app.web.exit": {true, false},
		"process.app.web.start": {false, false}, "process.app.*": {false, false}, "process.app.*.exit": {true, false}, "process.app.*.*": {true, false},
		"process.app*": {true, false}, "*.*.set": {false, true}, "value.color": {false, true}, "value.colo": {false, false}, "socket.*": {false, false},
		"*.app.web": {true, false},
	} {
		p, err := Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		f := newFilter([]Pattern{p})
		if got := [2]bool{f.match(exit), f.match(set)}; got != want {
			t.Errorf("%s: %v, not %v", text, got, want)
		}
	}
	for _, text := range []string{"", "web", "processes.web", "process.we b", "process..exit", "process.a*b.exit", "proc*"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q is taken for %+v", text, p)
		}
	}
}

// TestRing: a watch that is slow misses the oldest, and is told how many; one that is quick misses none; another user's are
// not told.
func TestRing(t *testing.T) {
	h := NewHub()
	all, _ := Parse("*")
	one, _ := Parse("value.v7")
	slow, picky, other := h.Watch(1, []Pattern{all}), h.Watch(1, []Pattern{one}), h.Watch(2, []Pattern{all})
	const more = 100
	for i := range Ring + more {
		h.Tell(1, Value, fmt.Sprintf("v%d", i%10), "set", "")
	}
	<-slow.Ready()
	events, missed := slow.Next(10)
	if missed != more || len(events) != 10 || events[0].Name != "v0" {
		t.Errorf("%d missed, %+v", missed, events)
	}
	n := len(events)
	for range slow.Ready() {
		events, missed = slow.Next(1000)
		if n += len(events); missed != 0 || len(events) == 0 || n == Ring {
			break
		}
	}
	if n != Ring || missed != 0 {
		t.Errorf("%d events, %d missed", n, missed)
	}
	if events, missed := picky.Next(Ring); missed != more || len(events) < Ring/10 || events[0].Name != "v7" {
		t.Errorf("%d missed, %d events", missed, len(events))
	}
	if events, missed := other.Next(1); len(events) > 0 || missed > 0 {
		t.Errorf("another user is told %+v, and %d missed", events, missed)
	}
	slow.Close()
	picky.Close()
	other.Close()
	if len(h.owners) > 0 {
		t.Errorf("%v is kept for nobody", h.owners)
	}
}
