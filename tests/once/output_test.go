package once

import (
	"bytes"
	"context"
	"crypto/sha256"
	"hash"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
)

func TestOutputIsByteExact(t *testing.T) {
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		for _, text := range []bool{false, true} {
			var stdout, stderr bytes.Buffer
			once.Text, once.Stdout, once.Stderr = text, &stdout, &stderr
			n, err := talk.On(once)("hello")
			if n != 5 || err != nil {
				t.Fatalf("%d, %v", n, err)
			}
			if got, want := stdout.String(), "hello from Go\r\nout\nno newline"; got != want {
				t.Errorf("stdout %q, want %q", got, want)
			}
			if got, want := stderr.String(), "err\n\x00\xff"; got != want {
				t.Errorf("stderr %q, want %q", got, want)
			}
		}
	})
}

// live is a writer that closes a channel when it has seen a word.
type live struct {
	mu   sync.Mutex
	seen strings.Builder
	word string
	done chan struct{}
}

func (l *live) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	before := strings.Contains(l.seen.String(), l.word)
	l.seen.Write(p)
	if !before && strings.Contains(l.seen.String(), l.word) {
		close(l.done)
	}
	return len(p), nil
}

func TestOutputIsLive(t *testing.T) {
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		out := &live{word: "running", done: make(chan struct{})}
		once.Stdout = out
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		returned := make(chan error, 1)
		go func() { returned <- sleepy.On(once)(ctx, "") }()
		select {
		case <-out.done: // while the function runs
		case err := <-returned:
			t.Fatalf("it returned before its output came: %v", err)
		}
		cancel()
		<-returned
	})
}

type digest struct{ hash.Hash }

func TestFloodOfOutput(t *testing.T) {
	const size = 64 << 20
	overAll(t, func(t *testing.T, _ target, once delivery.Once) {
		out, errs := digest{sha256.New()}, digest{sha256.New()}
		once.Stdout, once.Stderr = out, errs
		wantOut, wantErr, err := flood.On(once)(size)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(out.Sum(nil), wantOut[:]) || !bytes.Equal(errs.Sum(nil), wantErr[:]) {
			t.Error("the output is not what the function wrote")
		}
	})
}

type brokenWriter struct{}

func (brokenWriter) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }

func TestAWriterThatFailsDoesNotStopTheFunction(t *testing.T) {
	once := delivery.Once{Via: targets()[0].via, Stdout: brokenWriter{}, Stderr: io.Discard}
	if _, _, err := flood.On(once)(4 << 20); err != nil {
		t.Error(err)
	}
}
