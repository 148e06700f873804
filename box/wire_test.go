package box

import (
	"bytes"
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
	if &segs[2][0] != &b.Args.Gob[0] || &segs[4][0] != &b.Args.Bulk[1][0] || len(segs) != 5 {
		t.Error("Segments copied the arguments")
	}
	got, err := BoxFromSegments(segs)
	if err != nil || !cmp.Equal(got, b) {
		t.Fatalf("%v\n%s", err, cmp.Diff(b, got))
	}
	if &got.Args.Bulk[0][0] != &segs[3][0] {
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

func headOf(b *Box) []byte {
	segs, err := b.Segments()
	if err != nil {
		panic(err)
	}
	return segs[0]
}

func TestSegmentsErrors(t *testing.T) {
	t.Parallel()
	good := headOf(&Box{Func: "f"})
	odd := append(bytes.Clone(good[:len(good)-1]), 1, 1, 'a')
	many := append(bytes.Clone(good[:len(good)-2]), 0xff, 0xff, 3)
	for _, c := range []struct {
		says string
		segs [][]byte
	}{
		{"0 segments", nil},
		{"2 segments", [][]byte{good, nil}},
		{"4097 segments", append([][]byte{good}, make([][]byte, MaxSegments)...)},
		{"box: it is cut", [][]byte{{}, {}, {}}},
		{"box: it is cut", [][]byte{good[:len(good)-1], {}, {}}},
		{"box: 3 bytes follow the head", [][]byte{append(bytes.Clone(good), 1, 2, 3), {}, {}}},
		{"box: the head is 4194305 bytes, more than the limit of 4194304", [][]byte{make([]byte, maxHead+1), {}, {}}},
		{"box.Trace: a key without a value", [][]byte{odd, {}, {}}},
		{"box: 65535 live values, more than the limit of 256", [][]byte{many, {}, {}}},
		{"box: it announces 100 bytes where 1 follow", [][]byte{{100, 'f'}, {}, {}}},
	} {
		b, err := BoxFromSegments(c.segs)
		if e := (*EncodingError)(nil); b != nil || !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("want %q: %v", c.says, err)
		}
	}
}

// Four million empty errors fit in a head of 4 MiB, and would take 800 MB in memory.
func TestReplyWithManyNodes(t *testing.T) {
	segs, err := (&Reply{Fault: &Fault{Kind: Returned, Nodes: make([]Node, 400_000)}}).Segments()
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = ReplyFromSegments(segs)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "400000 errors, more than the limit of 1024") {
		t.Errorf("%v", err)
	}
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 64<<20 {
		t.Errorf("%d MB were allocated", grown>>20)
	}
}

// On a link, types travel until the sender knows that they have.
func TestTypesTravelOnce(t *testing.T) {
	t.Parallel()
	var out TypesOut
	var in TypesIn
	types := []byte("types")
	for i, want := range []string{"types", "types", "", ""} {
		b := &Box{Func: "f", Args: Values{Types: types, Gob: []byte{byte(i)}}}
		segs, sent, err := out.SegmentsFor(b)
		if err != nil || string(segs[1]) != want {
			t.Fatalf("message %d carries %q, want %q; %v", i, segs[1], want, err)
		}
		if got, err := in.BoxFromLink(segs); err != nil || string(got.Args.Types) != "types" {
			t.Errorf("message %d: %+v, %v", i, got, err)
		}
		if i == 1 {
			sent()
		}
	}
	segs, _, err := out.ReplySegmentsFor(&Reply{Results: Values{Types: []byte("others")}})
	if err != nil {
		t.Fatal(err)
	}
	segs[1] = nil
	if _, err := in.ReplyFromLink(segs); err == nil || !strings.Contains(err.Error(), "which never came") {
		t.Errorf("types that never came: %v", err)
	}
}
