package couriertest

import (
	"bytes"
	"math"
	"math/big"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/registry"
)

// A Parcel has a field of every kind that travels.
type Parcel struct {
	Bool    bool
	Int     int
	Int8    int8
	Int64   int64
	Uint8   uint8
	Uint64  uint64
	Float32 float32
	Float64 float64
	Complex complex128
	Text    string
	Bytes   []byte
	Array   [3]int
	Slice   []string
	Nested  [][]int
	Map     map[string][]int
	Keys    map[[2]int]bool
	Pointer *int
	Inner   *Label
	Labels  []Label
	Any     any
	When    time.Time
	Long    time.Duration
	Big     *big.Int
	Addr    netip.Addr
	Link    url.URL
}

// A Label is a struct inside a Parcel.
type Label struct {
	To     string
	Weight *float64
}

var (
	back = registry.Register("couriertest.back", func(p Parcel) Parcel { return p })
	many = registry.Register("couriertest.many", func(a int8, b string, c []byte, d map[string]bool, e *Label) (*Label, map[string]bool, []byte, string, int8) {
		return e, d, c, b, a
	})
	plain  = registry.Register("couriertest.plain", func() {})
	sum    = registry.Register("couriertest.sum", sumUp)
	bytes2 = registry.Register("couriertest.bytes", func(b []byte) []byte { return b })
	text   = registry.Register("couriertest.text", func(s string) string { return s })
)

func sumUp(words string, numbers ...int) (string, int) {
	total := 0
	for _, n := range numbers {
		total += n
	}
	return strings.ToUpper(words), total
}

func full() Parcel {
	n, weight := 0, -0.5
	return Parcel{
		Bool: true, Int: math.MinInt, Int8: -128, Int64: math.MaxInt64, Uint8: 255, Uint64: math.MaxUint64,
		Float32: math.SmallestNonzeroFloat32, Float64: math.Inf(-1), Complex: complex(1, -2),
		Text: "a\x00b\xff\r\n世界\x1b[0m", Bytes: []byte{0, 255, '\n'}, Array: [3]int{1, 0, 3},
		Slice: []string{"", "x"}, Nested: [][]int{nil, {}, {1}}, Map: map[string][]int{"": nil, "a": {}, "b": {1}},
		Keys: map[[2]int]bool{{1, 2}: true, {}: false}, Pointer: &n, Inner: &Label{To: "web1", Weight: &weight},
		Labels: []Label{{}, {To: "x"}}, Any: time.Minute, When: time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC),
		Long: -time.Hour, Big: new(big.Int).Lsh(big.NewInt(1), 200), Addr: netip.MustParseAddr("fe80::1%eth0"),
		Link: url.URL{Scheme: "ssh", Host: "web1", Path: "/a b"},
	}
}

func testValues(t *testing.T, c box.Courier) {
	for name, p := range map[string]Parcel{
		"full": full(), "zero": {},
		"empty, not nil": {Bytes: []byte{}, Slice: []string{}, Nested: [][]int{}, Map: map[string][]int{}, Any: []any{}, Big: new(big.Int)},
	} {
		got := back.On(c)(p)
		if p.Big != nil && got.Big != nil && p.Big.Cmp(got.Big) == 0 {
			got.Big = p.Big // zero has two forms in memory
		}
		if !reflect.DeepEqual(got, p) {
			t.Errorf("%s: sent %+v\ngot %+v", name, p, got)
		}
	}
	weight := 1.5
	in := &Label{To: "y", Weight: &weight}
	e, d, b, s, a := many.On(c)(-1, "s", []byte{1}, map[string]bool{"k": true}, in)
	if a != -1 || s != "s" || !bytes.Equal(b, []byte{1}) || !d["k"] || !reflect.DeepEqual(e, in) || e == in {
		t.Errorf("five results in order: %v %v %v %v %v", e, d, b, s, a)
	}
	if e, d, b, _, _ := many.On(c)(0, "", nil, nil, nil); e != nil || d != nil || b != nil {
		t.Errorf("nil arguments came back as %v, %v, %v", e, d, b)
	}
	plain.On(c)()
	if words, n := sum.On(c)("a", 1, 2, 3); words != "A" || n != 6 {
		t.Errorf("variadic: %q, %d", words, n)
	}
	if _, n := sum.On(c)("a"); n != 0 {
		t.Errorf("variadic without any: %d", n)
	}
	sent := []byte{1, 2, 3}
	if got := bytes2.On(c)(sent); got[0] != 1 {
		t.Errorf("bytes: %v", got)
	} else if got[0] = 9; sent[0] != 1 {
		t.Error("the function got the caller's memory, not a copy")
	}
}

// testLarge sends 64 MiB each way, 4 MiB with -short.
func testLarge(t *testing.T, c box.Courier) {
	size := 64 << 20
	if testing.Short() {
		size = 4 << 20
	}
	big := bytes.Repeat([]byte("deliveryboy\n\x00\xff="), size/14)
	if got := bytes2.On(c)(big); !bytes.Equal(got, big) {
		t.Errorf("sent %d bytes, got %d, not the same", len(big), len(got))
	}
	if got := text.On(c)(string(big)); got != string(big) {
		t.Errorf("sent a text of %d bytes, got one of %d, not the same", len(big), len(got))
	}
}
