package box

import (
	"bytes"
	"encoding/gob"
	"errors"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The arguments are not copied on their way into frames, and not on their way out.
func TestSegmentsShareMemory(t *testing.T) {
	t.Parallel()
	b := testBox()
	segs, err := b.Segments()
	if err != nil {
		t.Fatal(err)
	}
	if &segs[1][0] != &b.Args.Gob[0] || &segs[3][0] != &b.Args.Bulk[1][0] || len(segs) != 4 {
		t.Error("Segments copied the arguments")
	}
	got, err := BoxFromSegments(segs)
	if err != nil || !cmp.Equal(got, b) {
		t.Fatalf("%v\n%s", err, cmp.Diff(b, got))
	}
	if &got.Args.Bulk[0][0] != &segs[2][0] {
		t.Error("BoxFromSegments copied the arguments")
	}
}

func TestReplySegments(t *testing.T) {
	t.Parallel()
	segs, err := testReply().Segments()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := ReplyFromSegments(segs); err != nil || !cmp.Equal(got, testReply()) {
		t.Errorf("%v\n%s", err, cmp.Diff(testReply(), got))
	}
}

func gobOf(t *testing.T, v any) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := gob.NewEncoder(&out).Encode(v); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSegmentsErrors(t *testing.T) {
	t.Parallel()
	good := gobOf(t, boxHead{Func: "f"})
	for _, c := range []struct {
		says string
		segs [][]byte
	}{
		{"0 segments", nil},
		{"1 segments", [][]byte{good}},
		{"4097 segments", append([][]byte{good}, make([][]byte, MaxSegments)...)},
		{"box: gob: EOF", [][]byte{{}, {}}},
		{"box: gob: unexpected EOF", [][]byte{good[:len(good)-1], {}}},
		{"box: 3 bytes follow the head", [][]byte{append(bytes.Clone(good), 1, 2, 3), {}}},
		{"box: the head is 4194305 bytes, more than the limit of 4194304", [][]byte{make([]byte, maxHead+1), {}}},
		{"box.Trace: a key without a value", [][]byte{gobOf(t, boxHead{Trace: []string{"a"}}), {}}},
		{"box: gob: ", [][]byte{gobOf(t, struct{ Func map[string]int }{map[string]int{"a": 1}}), {}}},
	} {
		b, err := BoxFromSegments(c.segs)
		if e := (*EncodingError)(nil); b != nil || !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("want %q: %v", c.says, err)
		}
	}
}

// Four million empty errors fit in a head of 4 MiB, and would take 800 MB in memory.
func TestReplyWithManyNodes(t *testing.T) {
	head := gobOf(t, struct {
		Fault struct{ Nodes []struct{ Msg string } }
	}{struct{ Nodes []struct{ Msg string } }{make([]struct{ Msg string }, 3<<20)}})
	if len(head) > maxHead {
		t.Fatalf("the test's head is %d bytes", len(head))
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := ReplyFromSegments([][]byte{head, nil})
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "3145728 errors, more than the limit of 1024") {
		t.Errorf("%v", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d MB were allocated", grown>>20)
	}
}
