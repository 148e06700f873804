package holder

import (
	"os"
	"slices"
	"testing"
	"time"
)

// hear is a link, and what a holder hears of it: it answers, and does nothing else.
func hear(t *testing.T) (*Link, <-chan message) {
	t.Helper()
	theirs, ours, err := pair()
	if err != nil {
		t.Fatal(err)
	}
	raw, err := theirs.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	if err := send(raw, message{Op: opJoined, Version: version}); err != nil {
		t.Fatal(err)
	}
	l, _, err := join(ours)
	if err != nil {
		t.Fatal(err)
	}
	l.Listen(Events{Exit: func(Exit) {}, Failed: func(key, reason string) { t.Error(key, reason) }, Lost: func() {}})
	heard := make(chan message, 1000)
	go func() {
		defer close(heard)
		for packet := make([]byte, maxPacket); ; {
			m, err := receive(raw, packet)
			if err != nil {
				return
			}
			closeAll(m.fds)
			if m.Op == opSync {
				_ = send(raw, message{Op: opSynced, Serial: m.Serial})
			}
			heard <- m
		}
	}()
	t.Cleanup(func() {
		l.Close()
		theirs.Close()
	})
	return l, heard
}

// keptBy has the link say all, and returns the keys of what it has had kept.
func keptBy(t *testing.T, l *Link, heard <-chan message) (kept []string) {
	t.Helper()
	if err := l.Sync(); err != nil {
		t.Fatal(err)
	}
	for m := range heard {
		switch m.Op {
		case opKeep:
			kept = append(kept, m.Key)
		case opSync:
			slices.Sort(kept)
			return kept
		}
	}
	t.Fatal("it has ended")
	return nil
}

func TestKeepLater(t *testing.T) {
	l, heard := hear(t)
	file, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, key := range []string{"a", "b", "c", "d"} {
		l.KeepLater(Held{Key: key, Files: []*os.File{file}})
	}
	l.Spare("b")
	l.DropLater("c")
	if err := l.Keep(Held{Key: "d"}); err != nil { // in the place of the other one
		t.Fatal(err)
	}
	if kept := keptBy(t, l, heard); !slices.Equal(kept, []string{"a", "d"}) {
		t.Errorf("the holder was told to keep %q", kept)
	}
	var keys []string
	for _, h := range l.Kept() {
		keys = append(keys, h.Key)
	}
	slices.Sort(keys)
	if !slices.Equal(keys, []string{"a", "b", "d"}) { // a successor of the holder gets b, too: it is here
		t.Errorf("it remembers %q", keys)
	}
}

// TestKeepLaterWithoutSync: it is told, sooner or later.
func TestKeepLaterWithoutSync(t *testing.T) {
	l, heard := hear(t)
	for i, key := range []string{"a", "b"} {
		l.KeepLater(Held{Key: key})
		for m := range heard {
			if m.Op == opKeep {
				if m.Key != key {
					t.Errorf("%d: %q was kept, and not %q", i, m.Key, key)
				}
				break
			}
		}
	}
}

func TestTicks(t *testing.T) {
	same := 0
	for deadline := time.Now().Add(time.Minute); same < 20 && time.Now().Before(deadline); {
		before := Ticks()
		p, err := os.StartProcess("/bin/sleep", []string{"sleep", "1000"}, &os.ProcAttr{})
		if err != nil {
			t.Fatal(err)
		}
		if before == Ticks() {
			same++
			if told := StartOf(p.Pid); told != before {
				t.Errorf("it started at %d, and not at %d", told, before)
			}
		}
		_ = p.Kill()
		_, _ = p.Wait()
	}
	if same == 0 {
		t.Error("no process was started within a tick")
	}
}
