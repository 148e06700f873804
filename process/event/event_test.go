package event

import (
	"bytes"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestGA38Covers(t *testing.T) {
	for _, c := range []struct {
		pattern, topic string
		want           bool
	}{
		{".", "a", true}, {".", "a.b.c", true}, {"a", "a", true}, {"a", "a.b", false}, {"a.", "a.b", true},
		{"a.", "a.b.c", true}, {"a.", "a", false}, {"a.", "ab.c", false}, {"a.b", "a.b", true}, {"", "a", false}, {"a.b.", "a.b", false},
	} {
		if got := Covers(c.pattern, c.topic); got != c.want {
			t.Errorf("Covers(%q, %q) = %t", c.pattern, c.topic, got)
		}
	}
}

func TestGA38OrderAndCancel(t *testing.T) {
	var b Bus[int]
	var all, some []string
	cancel := b.Subscribe(".", func(topic string, n int) { all = append(all, fmt.Sprint(topic, n)) })
	b.Subscribe("a.", func(topic string, n int) { some = append(some, fmt.Sprint(topic, n)) })
	b.Publish("a.x", 1)
	b.Publish("b", 2)
	b.Wait()
	cancel()
	cancel()
	b.Publish("a.y", 3)
	b.Close()
	b.Publish("a.y", 4)
	b.Wait()
	if want := []string{"a.x1", "b2"}; !slices.Equal(all, want) {
		t.Errorf("%q", all)
	}
	if want := []string{"a.x1", "a.y3"}; !slices.Equal(some, want) {
		t.Errorf("%q", some)
	}
}

func TestGA38Once(t *testing.T) {
	var b Bus[int]
	var got []int
	b.Once("a", func(_ string, n int) { got = append(got, n) })
	for n := range 3 {
		b.Publish("a", n)
	}
	b.Wait()
	if !slices.Equal(got, []int{0}) || b.Heard("a") {
		t.Errorf("%v, still heard: %t", got, b.Heard("a"))
	}
}

// A listener that does not return makes the others wait, never the publisher; the oldest events give way.
func TestGA38OldestIsDropped(t *testing.T) {
	var told atomic.Int32
	b := Bus[int]{Queue: 10, Drop: func(string) { told.Add(1) }}
	began, goOn := make(chan struct{}), make(chan struct{})
	var got []int
	b.Subscribe("a", func(_ string, n int) {
		if n == 0 {
			close(began)
			<-goOn
		}
		got = append(got, n)
	})
	b.Publish("a", 0)
	<-began
	for n := 1; n <= 25; n++ {
		b.Publish("a", n)
	}
	close(goOn)
	b.Wait()
	want := []int{0, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25}
	if !slices.Equal(got, want) || b.Dropped() != 15 || told.Load() != 15 {
		t.Errorf("%v, %d dropped, %d told", got, b.Dropped(), told.Load())
	}
}

func TestGA38BytesAreBounded(t *testing.T) {
	b := Bus[string]{Bytes: 100, Size: func(s string) int64 { return int64(len(s)) }}
	began, goOn := make(chan struct{}), make(chan struct{})
	var got []int
	b.Subscribe("a", func(_ string, s string) {
		if len(got) == 0 {
			close(began)
			<-goOn
		}
		got = append(got, len(s))
	})
	b.Publish("a", "x")
	<-began
	for range 5 {
		b.Publish("a", strings.Repeat("y", 40))
	}
	b.Publish("a", strings.Repeat("z", 500)) // more than all may have: it comes alone
	close(goOn)
	b.Wait()
	if want := []int{1, 500}; !slices.Equal(got, want) || b.Dropped() != 5 {
		t.Errorf("%v, %d dropped", got, b.Dropped())
	}
}

func TestGA38APanickingListenerIsRemoved(t *testing.T) {
	var log bytes.Buffer
	b := Bus[int]{Log: slog.New(slog.NewTextHandler(&log, nil)), Name: "me"}
	var got []int
	b.Subscribe("a", func(_ string, n int) { panic(fmt.Sprint("no ", n)) })
	b.Subscribe("a", func(_ string, n int) { got = append(got, n) })
	b.Publish("a", 1)
	b.Publish("a", 2)
	b.Wait()
	if !slices.Equal(got, []int{1, 2}) {
		t.Errorf("the other listener heard %v", got)
	}
	if s := log.String(); strings.Count(s, "panic=\"no") != 1 || !strings.Contains(s, "no 1") || !strings.Contains(s, "of=me") {
		t.Errorf("the log: %s", s)
	}
}

// A listener may subscribe, cancel, publish and close.
// A listener that ends its goroutine, as t.FailNow does, is removed: the others hear on, the same event too.
func TestAListenerThatEndsItsGoroutine(t *testing.T) {
	var b Bus[int]
	var log bytes.Buffer
	b.Log = slog.New(slog.NewTextHandler(&log, nil))
	var got []int
	b.Subscribe(".", func(string, int) { runtime.Goexit() })
	b.Subscribe(".", func(_ string, n int) { got = append(got, n) })
	for n := range 3 {
		b.Publish("a", n)
	}
	b.Close()
	b.Wait()
	if !slices.Equal(got, []int{0, 1, 2}) || strings.Count(log.String(), "removed") != 1 {
		t.Errorf("%v, %q", got, log.String())
	}
}

func TestAListenerMayUseTheBus(t *testing.T) {
	var b Bus[int]
	var got []int
	var cancel func()
	cancel = b.Subscribe("a", func(_ string, n int) {
		got = append(got, n)
		b.Subscribe("b", func(_ string, n int) { got = append(got, 10*n) })
		b.Publish("b", 2)
		cancel()
		b.Publish("a", 3)
		b.Close()
	})
	b.Publish("a", 1)
	b.Wait()
	if !slices.Equal(got, []int{1, 20}) {
		t.Errorf("%v", got)
	}
}
