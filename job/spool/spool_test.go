package spool

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

func rootOf(t interface {
	Fatal(...any)
	Cleanup(func())
}) *os.Root {
	dir, err := os.MkdirTemp("", "spool")
	if err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = root.Close(); _ = os.RemoveAll(dir) })
	return root
}

// all reads what there is from an offset on.
func all(t *testing.T, r *Reader) (text [4][]byte, dropped int64, end Offset) {
	t.Helper()
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return text, dropped, end
		}
		if err != nil {
			t.Fatal(err)
		}
		text[p.Stream] = append(text[p.Stream], p.Data...)
		dropped += p.Dropped
		end = p.Next
	}
}

func TestOrderAndStreams(t *testing.T) {
	t.Parallel()
	root := rootOf(t)
	news := 0
	w, err := Create(root, 0, true, func() { news++ })
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(root, 0, true, func() {}); err == nil {
		t.Error("a second spool in one place")
	}
	r := NewReader(root, Offset{})
	defer r.Close()
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Errorf("of an empty one: %v", err)
	}
	big := bytes.Repeat([]byte("0123456789"), 20_000) // longer than a piece
	for _, s := range []Stream{Stdout, Stderr, Log} {
		if n, err := w.Stream(s).Write([]byte(s.String())); n != len(s.String()) || err != nil {
			t.Error(n, err)
		}
	}
	_, _ = w.Stream(Stdout).Write(big)
	text, dropped, end := all(t, r)
	if string(text[Stdout]) != "stdout"+string(big) || string(text[Stderr]) != "stderr" || string(text[Log]) != "log" || dropped != 0 {
		t.Errorf("%.40q, %q, %q, %d", text[Stdout], text[Stderr], text[Log], dropped)
	}
	if closed, lost := w.Close(); closed != end || lost != 0 || news != 4 {
		t.Errorf("%+v, read up to %+v, %d lost, %d times changed", closed, end, lost, news)
	}
}

// A reader that goes along, or comes and goes, sees every byte, or is told how many it did not see.
func TestRing(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		root := rootOf(t)
		newest := rapid.Bool().Draw(t, "newest")
		w, err := Create(root, MinLimit, newest, func() {})
		if err != nil {
			t.Fatal(err)
		}
		var total int64
		at := Offset{}
		var seen, missing int64
		for range rapid.IntRange(1, 60).Draw(t, "writes") {
			n := rapid.IntRange(0, 100_000).Draw(t, "size")
			_, _ = w.Stream(Stdout).Write(make([]byte, n))
			total += int64(n)
			if rapid.Bool().Draw(t, "read") {
				r := NewReader(root, at)
				for {
					p, err := r.Next()
					if errors.Is(err, io.EOF) {
						break
					}
					if err != nil {
						t.Fatal(err)
					}
					seen, missing, at = seen+int64(len(p.Data)), missing+p.Dropped, p.Next
				}
				r.Close()
			}
		}
		end, dropped := w.Close()
		if size, err := Size(root); err != nil || size > MinLimit+1024 {
			t.Fatalf("%d bytes on disk, %v", size, err)
		}
		r := NewReader(root, at)
		defer r.Close()
		for {
			p, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			seen, missing, at = seen+int64(len(p.Data)), missing+p.Dropped, p.Next
		}
		if seen+missing != total || end.Data != total || at != end || dropped < missing {
			t.Fatalf("%d seen, %d missing, %d in all; at %+v of %+v; %d dropped", seen, missing, total, at, end, dropped)
		}
	})
}

func TestWhileItGrows(t *testing.T) {
	t.Parallel()
	root := rootOf(t)
	news := make(chan struct{}, 1)
	w, err := Create(root, 64<<20, true, func() {
		select {
		case news <- struct{}{}:
		default:
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var want bytes.Buffer
	source := rand.NewChaCha8([32]byte{1})
	var work sync.WaitGroup
	work.Go(func() {
		for i := range 2000 {
			p := make([]byte, i%5000)
			_, _ = source.Read(p)
			want.Write(p)
			_, _ = w.Stream(Stdout).Write(p)
		}
		w.Close()
		close(news)
	})
	r := NewReader(root, Offset{})
	defer r.Close()
	var got []byte
	for open := true; open; {
		_, open = <-news
		text, _, _ := all(t, r)
		got = append(got, text[Stdout]...)
	}
	work.Wait()
	if !bytes.Equal(got, want.Bytes()) {
		t.Errorf("%d bytes, want %d", len(got), want.Len())
	}
}

func TestDamage(t *testing.T) {
	t.Parallel()
	root := rootOf(t)
	w, err := Create(root, 0, true, func() {})
	if err != nil {
		t.Fatal(err)
	}
	_, _ = w.Stream(Stdout).Write([]byte("hello"))
	_, _ = w.Stream(Stderr).Write([]byte("world"))
	w.Close()
	name := segmentAt(Offset{}).name
	good, err := root.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		for bit := range 8 {
			bad := bytes.Clone(good)
			bad[i] ^= 1 << bit
			if err := root.WriteFile(name, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			r := NewReader(root, Offset{})
			var said []byte
			for {
				p, err := r.Next()
				if err != nil {
					break
				}
				said = append(said, p.Data...)
			}
			r.Close()
			if !bytes.HasPrefix([]byte("helloworld"), said) || len(said) == 10 {
				t.Fatalf("bit %d of byte %d flipped: read %q", bit, i, said)
			}
		}
	}
}

// FuzzReader reads segments that somebody else wrote: it ends, and gives no more than there is.
func FuzzReader(f *testing.F) {
	f.Add([]byte{})
	f.Add(bytes.Repeat([]byte{0xff}, 64))
	f.Add(bytes.Repeat([]byte{0}, 64))
	f.Fuzz(func(t *testing.T, data []byte) {
		root := rootOf(t)
		if err := root.WriteFile(segmentAt(Offset{}).name, data, 0o600); err != nil {
			t.Fatal(err)
		}
		r := NewReader(root, Offset{})
		defer r.Close()
		total := 0
		for range len(data) + 2 {
			p, err := r.Next()
			if err != nil {
				break
			}
			total += len(p.Data)
		}
		if total > len(data) {
			t.Errorf("%d bytes out of %d", total, len(data))
		}
	})
}
