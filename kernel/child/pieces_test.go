//go:build linux

package child

import (
	"slices"
	"testing"
	"time"
)

// tapes is a tape of its own, in a directory of its own.
func tapes(t *testing.T, limit int64) (*tape, directory) {
	t.Helper()
	d, err := openDirectory(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.close)
	tape := &tape{place: d, name: "0-a", limit: limit}
	t.Cleanup(tape.close)
	return tape, d
}

// prints has n bytes come on a stream.
func (t *tape) prints(tb testing.TB, from source, data []byte) {
	tb.Helper()
	file, off, err := t.ready(from)
	if err == nil {
		_, err = file.WriteAt(data, off)
	}
	if err != nil {
		tb.Fatal(err)
	}
	t.came(from, int64(len(data)), time.Now())
}

// TestPA46ManySmallPieces: after very many pieces, too, no more is dropped than has to be, the index does not grow with each
// of them, and the next server finds the same.
func TestPA46ManySmallPieces(t *testing.T) {
	const limit, piece = 4 << 20, 100
	tape, d := tapes(t, limit)
	line := make([]byte, piece)
	least := int64(limit)
	for n := int64(0); n < 4*limit; n += piece {
		dropped := tape.lost
		tape.prints(t, fromOut, line)
		if tape.lost > dropped { // otherwise it has more than before
			least = min(least, tape.kept())
		}
	}
	if tape.lost == 0 {
		t.Error("nothing was dropped")
	}
	if least < limit-2*mostAtOnce {
		t.Errorf("of %d bytes that may be kept, there were but %d once", limit, least)
	}
	if n := tape.lines - tape.lcut; n > maxChunks*lineSize+cutStep {
		t.Errorf("the index has %d bytes; %d are enough", n, maxChunks*lineSize+cutStep)
	}
	next := newTape(d, limit)
	defer next.close()
	if err := next.load(); err != nil {
		t.Fatal(err)
	}
	if next.head != tape.head || next.tail != tape.tail || next.lost != tape.lost || next.ends != tape.ends || !slices.Equal(next.chunks, tape.chunks) {
		t.Errorf("the next server has %d…%d, %d lost, %d pieces; this one %d…%d, %d, %d", next.tail, next.head, next.lost, len(next.chunks),
			tape.tail, tape.head, tape.lost, len(tape.chunks))
	}
}

func newTape(d directory, limit int64) *tape { return &tape{place: d, name: "0-a", limit: limit} }
