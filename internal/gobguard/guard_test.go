package gobguard

import (
	"bytes"
	"encoding/gob"
	"errors"
	"math/big"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type inner struct {
	A int
	B []string
	C map[string]float64
}

type all struct {
	Bool    bool
	Int     int64
	Uint    uint8
	Float   float32
	Cplx    complex128
	Text    string
	Bytes   []byte
	Ints    []int
	Structs []inner
	Ptr     *inner
	Ptrs    []*inner
	Map     map[int][]inner
	Nested  map[string]map[string]int
	Array   [3]inner
	When    time.Time
	Big     *big.Int
	inner2
	Any  any
	List []any
}

type inner2 struct{ X int }

type node struct {
	Name string
	Next *node
}

type fat struct {
	A [4096]int64
	B int
}

func allow(name string) (reflect.Type, bool) {
	t, ok := map[string]reflect.Type{
		"int": reflect.TypeFor[int](), "string": reflect.TypeFor[string](), "[]interface {}": reflect.TypeFor[[]any](),
		"github.com/seed354a1416/deliveryboy/internal/gobguard.inner": reflect.TypeFor[inner](),
		"map[string]interface {}":                                     reflect.TypeFor[map[string]any](),
	}[name]
	return t, ok
}

func init() { //nolint:gochecknoinits // gob keeps its types in the process
	gob.Register(inner{})
	gob.Register([]any{})
	gob.Register(time.Second)
	gob.Register(map[string]any{})
}

func encode(t testing.TB, v any) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gob.NewEncoder(&b).Encode(v); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func drawInner(t *rapid.T) inner {
	return inner{
		A: rapid.Int().Draw(t, "a"), B: rapid.SliceOfN(rapid.String(), 0, 3).Draw(t, "b"),
		C: rapid.MapOfN(rapid.String(), rapid.Float64(), 0, 3).Draw(t, "c"),
	}
}

func drawAny(t *rapid.T, depth int) any {
	switch n := rapid.IntRange(0, 5).Draw(t, "kind"); {
	case n == 0:
		return rapid.Int().Draw(t, "int")
	case n == 1:
		return drawInner(t)
	case n == 2 && depth > 0:
		return []any{drawAny(t, depth-1), drawAny(t, depth-1)}
	case n == 3 && depth > 0:
		return map[string]any{"k": drawAny(t, depth-1), "l": drawAny(t, depth-1)}
	}
	return rapid.String().Draw(t, "string")
}

func draw(t *rapid.T) all {
	v := all{
		Bool: rapid.Bool().Draw(t, "bool"), Int: rapid.Int64().Draw(t, "int"), Uint: rapid.Uint8().Draw(t, "uint"),
		Float: rapid.Float32().Draw(t, "float"), Cplx: complex(rapid.Float64().Draw(t, "re"), 1), Text: rapid.String().Draw(t, "text"),
		Bytes: rapid.SliceOfN(rapid.Byte(), 0, 100).Draw(t, "bytes"), Ints: rapid.SliceOfN(rapid.Int(), 0, 50).Draw(t, "ints"),
		Nested: map[string]map[string]int{"a": {"b": 1}}, When: time.Unix(rapid.Int64Range(0, 1<<40).Draw(t, "when"), 0),
		Big: big.NewInt(rapid.Int64().Draw(t, "big")),
	}
	for range rapid.IntRange(0, 3).Draw(t, "n") {
		in := drawInner(t)
		v.Structs, v.Ptrs, v.Ptr = append(v.Structs, in), append(v.Ptrs, &in), &in
		v.Map = map[int][]inner{1: {in}, 2: {in, in}}
		v.Array[1] = in
		v.List = append(v.List, drawAny(t, 3))
		v.Any = drawAny(t, 3)
	}
	return v
}

// What an encoder writes passes, whole and in parts.
func TestWhatGobWritesPasses(t *testing.T) {
	t.Parallel()
	g := New(reflect.TypeFor[all](), Options{Allow: allow})
	rapid.Check(t, func(t *rapid.T) {
		v := draw(t)
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(v); err != nil {
			t.Skip(err)
		}
		if err := g.Check(b.Bytes()); err != nil {
			t.Fatal(err)
		}
	})
	primed := New(reflect.TypeFor[[]inner](), Options{})
	rapid.Check(t, func(t *rapid.T) {
		var b bytes.Buffer
		enc := gob.NewEncoder(&b)
		if err := enc.Encode([]inner{}); err != nil {
			t.Fatal(err)
		}
		types := bytes.Clone(b.Bytes()[:b.Len()-4]) // the message of an empty slice: 3, id (2 bytes at most), 0, 0
		for len(types) > 0 {
			if _, err := primed.Types(types); err == nil {
				break
			}
			types = types[:len(types)-1]
		}
		c, err := primed.Types(types)
		if err != nil {
			t.Fatal(err)
		}
		b.Reset()
		if err := enc.Encode([]inner{drawInner(t), drawInner(t)}); err != nil {
			t.Fatal(err)
		}
		if err := c.Check(b.Bytes()); err != nil {
			t.Fatal(err)
		}
	})
}

// uint is a number as gob writes it.
func number(n uint64) []byte {
	if n < 0x80 {
		return []byte{byte(n)}
	}
	var b []byte
	for ; n > 0; n >>= 8 {
		b = append([]byte{byte(n)}, b...)
	}
	return append([]byte{byte(-len(b))}, b...)
}

// messages takes a stream apart; each with its length.
func messages(stream []byte) (list [][]byte) {
	for len(stream) > 0 {
		s := &scan{in: stream, limit: len(stream)}
		n := int(s.uint())
		list, stream = append(list, stream[:s.at+n]), stream[s.at+n:]
	}
	return list
}

// forge replaces the value in a stream; body stands behind the number of its type, which takes two bytes.
func forge(stream []byte, body ...byte) []byte {
	list := messages(stream)
	value := list[len(list)-1]
	s := &scan{in: value, limit: len(value)}
	s.uint()
	body = append(bytes.Clone(value[s.at:s.at+2]), body...)
	return append(append(bytes.Join(list[:len(list)-1], nil), number(uint64(len(body)))...), body...)
}

func TestAttacks(t *testing.T) {
	type mapped struct{ M map[int64]int64 }
	type slices struct{ F []fat }
	big := forge(encode(t, mapped{map[int64]int64{5: 6}}), append(append([]byte{1}, number(1<<26)...), 10, 12, 0)...)
	long := encode(t, &node{Name: "x"})
	deep := &node{}
	for range 5000 {
		deep = &node{Next: deep}
	}
	fats := append(append([]byte{1}, number(10_000)...), make([]byte, 10_001)...)
	twice := append(bytes.Clone(messages(long)[0]), long...)
	for _, c := range []struct {
		name, says string
		into       any
		stream     []byte
	}{
		{"a map of 2^26 entries in a few bytes", "67108864 entries of a map", mapped{}, big},
		{"nesting", "nested deeper", node{}, encode(t, deep)},
		{"large elements", "more than", slices{}, forge(encode(t, slices{make([]fat, 1)}), fats...)},
		{"a message of 8 GiB", "a message of 8589934592 bytes", node{}, number(8 << 30)},
		{"two values", "follow the value", node{}, append(bytes.Clone(long), long...)},
		{"a type twice", "defined twice", node{}, twice},
		{"nothing", "it is cut", node{}, nil},
		{"a name that is not allowed", "may not hold it", all{}, encode(t, all{Any: time.Second})},
	} {
		start := time.Now()
		err := New(reflect.TypeOf(c.into), Options{Allow: allow}).Check(c.stream)
		var e *Error
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", c.name, err, c.says)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("%s: took %s", c.name, took)
		}
	}
	if err := New(reflect.TypeFor[slices](), Options{}).Check(encode(t, slices{make([]fat, 100)})); err != nil {
		t.Errorf("a hundred large elements: %v", err)
	}
}

// decode decodes what the guard has let pass: it may fail, and must not take more than the budget.
func decode[T any](t *testing.T, stream []byte) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	var v T
	_ = gob.NewDecoder(bytes.NewReader(stream)).Decode(&v)
	runtime.ReadMemStats(&after)
	if grown := after.TotalAlloc - before.TotalAlloc; grown > 2*(DefaultBudget+8*uint64(len(stream)))+16<<20 {
		t.Errorf("decoding %d bytes took %d MiB", len(stream), grown>>20)
	}
}

// Every cut and every flipped bit of a stream is refused, or harmless.
func TestMangledStreams(t *testing.T) {
	stream := encode(t, all{Text: "text", Structs: []inner{{A: 1, B: []string{"x"}, C: map[string]float64{"a": 1}}}, Any: inner{A: 2},
		Map: map[int][]inner{1: {{A: 3}}}, List: []any{1, "a", []any{inner{}}}, Big: big.NewInt(7)})
	g := New(reflect.TypeFor[all](), Options{Allow: allow})
	if err := g.Check(stream); err != nil {
		t.Fatal(err)
	}
	for cut := range stream {
		if g.Check(stream[:cut]) == nil {
			t.Errorf("cut at %d of %d passes", cut, len(stream))
		}
	}
	for bit := range 8 * len(stream) {
		bad := bytes.Clone(stream)
		bad[bit/8] ^= 1 << (bit % 8)
		if g.Check(bad) == nil {
			decode[all](t, bad)
		}
	}
}

func FuzzGuard(f *testing.F) {
	f.Add(encode(f, all{Any: inner{A: 2}, List: []any{1}}))
	f.Add(encode(f, node{Name: "a", Next: &node{}}))
	f.Add(encode(f, struct{ F []fat }{make([]fat, 1)}))
	guards := []*Guard{
		New(reflect.TypeFor[all](), Options{Allow: allow}), New(reflect.TypeFor[node](), Options{}),
		New(reflect.TypeFor[struct{ F []fat }](), Options{}),
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		for i, g := range guards {
			if g.Check(stream) != nil {
				continue
			}
			switch i {
			case 0:
				decode[all](t, stream)
			case 1:
				decode[node](t, stream)
			case 2:
				decode[struct{ F []fat }](t, stream)
			}
		}
	})
}

func BenchmarkGuard(b *testing.B) {
	v := all{Text: strings.Repeat("t", 100), Ints: make([]int, 100), Structs: make([]inner, 10), Bytes: make([]byte, 100)}
	stream := encode(b, v)
	g := New(reflect.TypeFor[all](), Options{Allow: allow})
	b.SetBytes(int64(len(stream)))
	for b.Loop() {
		if err := g.Check(stream); err != nil {
			b.Fatal(err)
		}
	}
}
