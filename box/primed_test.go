package box

import (
	"bytes"
	"encoding/gob"
	"math"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

type nested struct {
	Name string
	Tags map[string][]int
	Next *nested
	Raw  []byte
}

type level int8

func codecOf(t testing.TB, vals ...any) (*Codec, []reflect.Value) {
	t.Helper()
	var types []reflect.Type
	var in []reflect.Value
	for _, v := range vals {
		types = append(types, reflect.TypeOf(v))
		in = append(in, reflect.ValueOf(v))
	}
	c, err := NewCodec("arg", types, 8)
	if err != nil {
		t.Fatal(err)
	}
	return c, in
}

func back(t testing.TB, c *Codec, v Values) []any {
	t.Helper()
	got, err := c.Decode(v)
	if err != nil {
		t.Fatal(err)
	}
	var out []any
	for _, g := range got {
		out = append(out, g.Interface())
	}
	return out
}

// Values of basic kinds arrive as they left, without gob.
func TestScalars(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", bulkSize)
	vals := []any{
		true, false, int8(-128), int64(math.MinInt64), uint64(math.MaxUint64), float32(1.5), math.Inf(-1), complex(1, -2), "", "text", long,
		[]byte(nil), []byte{}, []byte("bytes"), []byte(long), level(-3), uintptr(7),
	}
	c, in := codecOf(t, vals...)
	if !c.basic {
		t.Fatal("gob is used")
	}
	v, err := c.Encode(in)
	if err != nil || len(v.Bulk) != 2 || v.Types != nil {
		t.Fatalf("%d beside, %v", len(v.Bulk), err)
	}
	if diff := cmp.Diff(vals, back(t, c, v)); diff != "" {
		t.Error(diff)
	}
	nan, in := codecOf(t, math.NaN())
	v, err = nan.Encode(in)
	if err != nil || !math.IsNaN(back(t, nan, v)[0].(float64)) {
		t.Errorf("NaN: %v", err)
	}
	for cut := range v.Gob {
		if _, err := nan.Decode(Values{Gob: v.Gob[:cut]}); err == nil {
			t.Errorf("cut at %d: no error", cut)
		}
	}
	small, _ := codecOf(t, int8(0))
	if _, err := small.Decode(Values{Gob: []byte{0xff, 0xff, 3}}); err == nil || !strings.Contains(err.Error(), "does not fit") {
		t.Errorf("a number too large: %v", err)
	}
}

// What is encoded with known types is what gob would make of it, and decoders are not confused by each other.
func TestPrimed(t *testing.T) {
	t.Parallel()
	val := nested{Name: "a", Tags: map[string][]int{"x": {1, 2}, "y": {}}, Next: &nested{Raw: []byte{}}, Raw: nil}
	c, in := codecOf(t, val, []string{"s", ""}, 7)
	first, err := c.Encode(in)
	if err != nil || first.Types == nil {
		t.Fatalf("no types: %v", err)
	}
	var work sync.WaitGroup
	for range 8 {
		work.Go(func() {
			for range 50 {
				v, err := c.Encode(in)
				if err != nil || !bytes.Equal(v.Types, first.Types) || &v.Types[0] != &first.Types[0] {
					t.Errorf("other types: %v", err)
					return
				}
				v.Types = bytes.Clone(v.Types) // as they come over a wire
				if diff := cmp.Diff([]any{val, []string{"s", ""}, 7}, back(t, c, v)); diff != "" {
					t.Error(diff)
					return
				}
			}
		})
	}
	work.Wait()
	dynamic, in := codecOf(t, map[string]any{"a": 1, "b": []any{"x"}})
	if v, err := dynamic.Encode(in); err != nil || v.Types != nil {
		t.Errorf("an interface has fixed types: %v", err)
	}
}

// A message that is more than one value would change the decoder for the next one.
func TestPrimedRefuses(t *testing.T) {
	t.Parallel()
	c, in := codecOf(t, nested{Name: "x"})
	v, err := c.Encode(in)
	if err != nil {
		t.Fatal(err)
	}
	marks, value := v.Gob[:1], v.Gob[1:]
	var whole bytes.Buffer
	if err := gob.NewEncoder(&whole).Encode(struct{ V0 nested }{nested{Name: "y"}}); err != nil {
		t.Fatal(err)
	}
	for name, bad := range map[string][]byte{
		"nothing": nil, "two values": append(bytes.Clone(value), value...), "with types": whole.Bytes(),
		"a length too long": append([]byte{value[0] + 1}, value[1:]...), "an id that is not known": {2, 0x7e, 0},
	} {
		if _, err := c.Decode(Values{Types: v.Types, Gob: append(bytes.Clone(marks), bad...)}); err == nil {
			t.Errorf("%s: no error", name)
		}
		if got := back(t, c, v); got[0].(nested).Name != "x" {
			t.Errorf("after %s: %+v", name, got)
		}
	}
}

func BenchmarkScalars(b *testing.B) {
	c, in := codecOf(b, bytes.Repeat([]byte("x"), 128))
	benchmarkCodec(b, c, in)
}

func BenchmarkPrimed(b *testing.B) {
	c, in := codecOf(b, nested{Name: strings.Repeat("n", 100), Raw: make([]byte, 200), Next: &nested{Name: strings.Repeat("m", 50)}})
	benchmarkCodec(b, c, in)
}

func benchmarkCodec(b *testing.B, c *Codec, in []reflect.Value) {
	b.ReportAllocs()
	for b.Loop() {
		v, err := c.Encode(in)
		if err == nil {
			_, err = c.Decode(v)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
