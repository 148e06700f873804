package wire

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
)

// A gate is a writer each of whose writes waits to be let through.
type gate struct {
	came chan int   // the size of a write that waits
	pass chan error // its result
	got  bytes.Buffer
}

func newGate() *gate { return &gate{came: make(chan int), pass: make(chan error)} }

func (g *gate) Write(p []byte) (int, error) {
	g.came <- len(p)
	if err := <-g.pass; err != nil {
		return 0, err
	}
	return g.got.Write(p)
}

// frames are what came through, "type stream" each.
func (g *gate) frames(t *testing.T) string {
	t.Helper()
	got, err := readAll(NewBinary(&g.got, nil, Options{}))
	if err != io.EOF {
		t.Fatal(err)
	}
	var list []string
	for _, f := range got {
		list = append(list, fmt.Sprint(f.Type, " ", f.Stream))
	}
	return strings.Join(list, ", ")
}

// until waits for a state of the wire's writing half.
func until(w *Wire, state func(out *outbound) bool) {
	for {
		w.mu.Lock()
		reached := state(w.outbound)
		w.mu.Unlock()
		if reached {
			return
		}
		runtime.Gosched()
	}
}

// does runs f, and gives its error to the channel.
func does(f func() error) chan error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return done
}

func noError(t *testing.T, errs ...error) {
	t.Helper()
	if err := errors.Join(errs...); err != nil {
		t.Error(err)
	}
}

// What many give while one writes leaves in one write, in the order of each.
func TestSharedWrites(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := NewBinary(nil, g, Options{})
	first := does(func() error { return w.WriteFrame(Started, 0, 99) })
	<-g.came
	var callers sync.WaitGroup
	for i := range uint32(32) {
		callers.Go(func() {
			noError(t, w.WriteFrame(Data, 0, i, []byte{0}), w.WriteMessage(Call, 100+i, [][]byte{random(100)}))
		})
	}
	callers.Wait() // nobody waits for whoever writes
	g.pass <- nil
	if n, want := <-g.came, 32*(HeaderSize+1+HeaderSize+12+100); n != want {
		t.Errorf("a write of %d bytes, want %d", n, want)
	}
	flushed := does(w.Flush)
	g.pass <- nil
	noError(t, <-first, <-flushed)
	got := g.frames(t)
	for i := range 32 {
		if before, after := strings.Index(got, fmt.Sprintf("data %d,", i)), strings.Index(got, fmt.Sprintf("call %d", 100+i)); before < 0 || after < before {
			t.Errorf("stream %d: %s", i, got)
		}
	}
}

// A call with what it refers to is one write; so is each frame of one caller alone.
func TestOneWriteEach(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := NewBinary(nil, g, Options{})
	for _, step := range []func() error{
		func() error { return w.WriteFrame(Cancel, 0, 1, []byte("why")) },
		func() error {
			return errors.Join(w.WriteLater(Open, 0, 3, make([]byte, 5)), w.WriteLater(Open, 0, 5, make([]byte, 5)),
				w.WriteMessage(Call, 1, [][]byte{[]byte("head"), random(1000)}))
		},
		func() error {
			return errors.Join(w.WriteLater(Open, 0, 7, make([]byte, 5)), w.Flush())
		},
	} {
		done := does(step)
		<-g.came
		g.pass <- nil
		noError(t, <-done)
	}
	noError(t, w.Flush())
	if got, want := g.frames(t), "cancel 1, open 3, open 5, call 1, open 7"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Whoever writes goes on with others' frames only until one of them can do it. A large frame has its turn after those
// that came before it, however many come after it.
func TestTurns(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := NewBinary(nil, g, Options{})
	small := does(func() error { return w.WriteFrame(Started, 0, 1) })
	<-g.came
	noError(t, w.WriteFrame(Started, 0, 2))
	large := does(func() error { return w.WriteFrame(Data, 0, 3, random(joined+1)) })
	until(w, func(out *outbound) bool { return out.queue == 1 })
	larger := does(func() error { return w.WriteFrame(Data, 0, 4, random(joined+1)) })
	until(w, func(out *outbound) bool { return out.queue == 2 })
	noError(t, w.WriteFrame(Started, 0, 5))
	g.pass <- nil
	noError(t, <-small) // what came meanwhile is for those who wait
	pass := func(done chan error) (writes int) {
		for {
			select {
			case <-g.came:
				g.pass <- nil
				writes++
			case err := <-done:
				noError(t, err)
				return writes
			}
		}
	}
	pass(large)
	pass(larger)
	if got, want := g.frames(t), "started 1, started 2, started 5, data 3, data 4"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// Nobody writes for others for as long as they like.
func TestPatience(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := NewBinary(nil, g, Options{})
	victim := does(func() error { return w.WriteFrame(Started, 0, 1) })
	var others sync.WaitGroup
	writes, over := 0, false
	for ; !over && writes < 10*patience; writes++ {
		select {
		case <-g.came:
			others.Go(func() { noError(t, w.WriteFrame(Started, 0, 2)) })
			until(w, func(out *outbound) bool { return len(out.pending) > 0 })
			g.pass <- nil
		case err := <-victim:
			noError(t, err)
			over = true
		}
	}
	if !over || writes <= patience {
		t.Errorf("it was let go after %d writes: %t", writes, over)
	}
	done := does(func() error { others.Wait(); return w.Flush() })
	for {
		select {
		case <-g.came:
			g.pass <- nil
			continue
		case err := <-done:
			noError(t, err)
		}
		break
	}
	if got := strings.Count(g.frames(t), "started 2"); got == 0 {
		t.Error("what the others wrote is missing")
	}
}

// What waits for a writer that is stuck is bounded.
func TestPendingIsBounded(t *testing.T) {
	t.Parallel()
	g := newGate()
	w := NewBinary(nil, g, Options{})
	const frames = 100
	done := does(func() error {
		for range frames {
			if err := w.WriteFrame(Data, 0, 1, random(joined)); err != nil {
				return err
			}
		}
		return w.Flush()
	})
	stuck := does(func() error {
		for range frames {
			if err := w.WriteFrame(Data, 0, 2, random(joined)); err != nil {
				return err
			}
		}
		return w.Flush()
	})
	for written := 0; done != nil || stuck != nil; written++ {
		select {
		case n := <-g.came:
			if n > maxPending+2*(joined+HeaderSize) {
				t.Errorf("a write of %d bytes", n)
			}
			if written == 0 {
				until(w, func(out *outbound) bool { return len(out.pending) > maxPending })
			}
			g.pass <- nil
		case err := <-done:
			noError(t, err)
			done = nil
		case err := <-stuck:
			noError(t, err)
			stuck = nil
		}
	}
	if got := strings.Split(g.frames(t), ", "); len(got) != 2*frames {
		t.Errorf("%d frames", len(got))
	}
}

// An error ends everybody's writing: of those who wait, of those whose frames are taken along, and of all later ones.
func TestWriteErrorStays(t *testing.T) {
	t.Parallel()
	g, broken := newGate(), errors.New("broken")
	w := NewBinary(nil, g, Options{})
	first := does(func() error { return w.WriteFrame(Started, 0, 1) })
	<-g.came
	noError(t, w.WriteFrame(Started, 0, 2)) // it is taken along
	large := does(func() error { return w.WriteFrame(Data, 0, 3, random(joined+1)) })
	flush := does(w.Flush)
	until(w, func(out *outbound) bool { return out.queue == 2 })
	g.pass <- broken
	for name, err := range map[string]error{
		"writes": <-first, "large": <-large, "flush": <-flush, "later": w.WriteFrame(Started, 0, 4), "flush later": w.Flush(),
		"message": w.WriteMessage(Call, 5, nil), "for later": w.WriteLater(Open, 0, 7), "large later": w.WriteLater(Open, 0, 7, random(joined+1)),
	} {
		if !errors.Is(err, broken) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := len(w.pending) + w.queue; n > 0 || w.busy {
		t.Errorf("%d are left, busy %t", n, w.busy)
	}
}

// Over a pipe, a frame's pieces are written where they are, many at once, however little the pipe takes at a time.
func TestVector(t *testing.T) {
	t.Parallel()
	r, f, err := os.Pipe()
	noError(t, err)
	defer r.Close()
	w := NewBinary(nil, f, Options{})
	segments := slices.Repeat([][]byte{random(1500), {}, random(1)}, 100)
	segments = append(segments, random(MaxPayload))
	sent := does(func() error {
		defer f.Close()
		return errors.Join(w.WriteMessage(Call, 1, segments), w.WriteMessage(Call, 3, segments))
	})
	got, err := readAll(NewBinary(r, nil, Options{}))
	if err != io.EOF || len(got) != 2 || !sameBytes(got[0].Segments, segments) || !sameBytes(got[1].Segments, segments) {
		t.Errorf("%d messages, %v", len(got), err)
	}
	noError(t, <-sent)
	r.Close()
	if err := w.WriteFrame(Data, 0, 1, random(joined+1)); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Error(err)
	}
}
