package store

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func sample() (*Record, [][]byte) {
	return &Record{
		ID: NewID(), Func: "backup", Name: "nightly", Submitter: "me@here", Submitted: time.Unix(1e9, 0).UTC(), Timeout: time.Hour,
		Queue: "q", Slots: 2, Dir: "/srv", Umask: 0o77, Env: []string{"A=b"},
	}, [][]byte{[]byte("head"), nil, bytes.Repeat([]byte{7}, 100)}
}

func TestSealed(t *testing.T) {
	t.Parallel()
	record, segments := sample()
	data, err := Seal("record", record, segments)
	if err != nil {
		t.Fatal(err)
	}
	var got Record
	segs, err := Unseal(data, "record", &got)
	if err != nil || !cmp.Equal(*record, got) || len(segs) != 3 || string(segs[0]) != "head" || len(segs[1]) != 0 || !bytes.Equal(segs[2], segments[2]) {
		t.Errorf("%v, %q\n%s", err, segs, cmp.Diff(*record, got))
	}
	if _, err := Unseal(data, "result", &got); !errors.Is(err, ErrDamaged) {
		t.Errorf("as another kind: %v", err)
	}
	for i := range data {
		for bit := range 8 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << bit
			if _, err := Unseal(bad, "record", new(Record)); !errors.Is(err, ErrDamaged) {
				t.Fatalf("bit %d of byte %d flipped: %v", bit, i, err)
			}
		}
		if _, err := Unseal(data[:i], "record", new(Record)); !errors.Is(err, ErrDamaged) {
			t.Fatalf("cut at %d: %v", i, err)
		}
	}
	if _, err := Unseal(append(bytes.Clone(data), 0), "record", new(Record)); !errors.Is(err, ErrDamaged) {
		t.Errorf("one byte more: %v", err)
	}
}

// FuzzUnseal gives unseal bodies whose checksum is right, as an attacker would.
func FuzzUnseal(f *testing.F) {
	record, segments := sample()
	data, err := Seal("record", record, segments)
	if err != nil {
		f.Fatal(err)
	}
	_, body, _ := bytes.Cut(data, []byte("\n"))
	f.Add(body)
	f.Add([]byte("{}\n\xff\xff\xff\xff"))
	f.Add([]byte("{}\n\x00\x00\x00\x01\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		r := new(Record)
		segs, err := Unseal(append(sealHead("record", body), body...), "record", r)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Error(err)
			}
			return
		}
		total := 0
		for _, s := range segs {
			total += len(s)
		}
		if total > len(body) {
			t.Errorf("%d bytes in segments, out of %d", total, len(body))
		}
	})
}
