package box

import (
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// trip sends one value through the codec.
func trip(t testing.TB, typ reflect.Type, v any) (reflect.Value, error) {
	t.Helper()
	c, err := NewCodec("arg", []reflect.Type{typ}, 8)
	if err != nil {
		t.Fatalf("NewCodec(%s): %v", typ, err)
	}
	in := reflect.New(typ).Elem()
	if v != nil {
		in.Set(reflect.ValueOf(v))
	}
	packed, err := c.Encode([]reflect.Value{in})
	if err != nil {
		return reflect.Value{}, err
	}
	out, err := c.Decode(packed.Clone())
	if err != nil {
		return reflect.Value{}, err
	}
	return out[0], nil
}

func arrives[T any](t *testing.T, name string, v T) {
	t.Helper()
	t.Run(name, func(t *testing.T) {
		t.Helper()
		out, err := trip(t, reflect.TypeFor[T](), any(v))
		if err != nil {
			t.Fatal(err)
		}
		if got := out.Interface(); !reflect.DeepEqual(got, any(v)) {
			t.Errorf("sent %#v, got %#v", v, got)
		}
	})
}

type limits struct {
	Max   *int
	Names []string
	Sub   map[string]*limits2
	Any   any
	Flag  *bool
	When  *time.Time
	Deep  [][]string
}

type limits2 struct {
	N     *int64
	Bytes []byte
	List  []*string
	Pair  [2]*int
}

type tree struct {
	Name string
	Kids []*tree
}

type figure interface{ Area() float64 }
type square struct{ Side float64 }

func (s square) Area() float64 { return s.Side * s.Side }

func TestValuesArriveAsTheyLeft(t *testing.T) {
	RegisterValue[square]()
	zero, no, s, empty := 0, false, "x", ""
	n64 := int64(0)
	arrives(t, "int", 7)
	arrives(t, "zero int", 0)
	arrives(t, "string", "ünïcode\x00\xff")
	arrives(t, "nil slice", []string(nil))
	arrives(t, "empty slice", []string{})
	arrives(t, "slice of zeros", []int{0, 0})
	arrives(t, "nil bytes", []byte(nil))
	arrives(t, "empty bytes", []byte{})
	arrives(t, "nil map", map[string]int(nil))
	arrives(t, "empty map", map[string]int{})
	arrives(t, "nil pointer", (*limits)(nil))
	arrives(t, "pointer to zero", &zero)
	arrives(t, "pointer to false", &no)
	arrives(t, "pointer to empty slice", &[]int{})
	arrives(t, "pointer to zero struct", &limits2{})
	arrives(t, "nil elements", []*string{nil, &s, nil, &empty})
	arrives(t, "all nil elements", []*string{nil, nil})
	arrives(t, "nil map values", map[string]*limits2{"a": nil, "b": {N: &n64}})
	arrives(t, "nested slices", [][]string{nil, {}, {"a"}, {""}})
	arrives(t, "array", [3]int{0, 1, 0})
	arrives(t, "array of pointers", [2]*int{nil, &zero})
	arrives(t, "struct", limits{
		Max: &zero, Names: []string{}, Flag: &no, When: &time.Time{}, Deep: [][]string{{}, nil},
		Sub: map[string]*limits2{"x": {N: &n64, Bytes: []byte{}, List: []*string{nil, &empty}, Pair: [2]*int{&zero, nil}}, "nil": nil},
	})
	arrives(t, "zero struct", limits{})
	arrives(t, "empty struct", struct{}{})
	arrives[any](t, "nil any", nil)
	arrives[any](t, "any int", 5)
	arrives[any](t, "any zero", 0)
	arrives[any](t, "any duration", 5*time.Second)
	arrives[any](t, "any empty slice", []string{})
	arrives[any](t, "any list", []any{1, "a", nil, []any{}, map[string]any{"d": time.Minute, "n": nil}})
	arrives[any](t, "any struct", square{2})
	arrives[figure](t, "interface", square{3})
	arrives[figure](t, "nil interface", nil)
	arrives(t, "big", *big.NewInt(1 << 62))
	arrives(t, "big pointer", big.NewInt(0))
	arrives(t, "address", netip.MustParseAddr("::1"))
	arrives(t, "address keys", map[netip.Addr][]string{netip.MustParseAddr("::1"): {}, netip.MustParseAddr("1.2.3.4"): nil})
	arrives(t, "struct keys", map[struct{ A, B string }][]int{{"a", "b"}: {}, {"a", "c"}: nil})
	arrives(t, "bool keys", map[bool]*int{true: nil, false: &zero})
	arrives(t, "float keys", map[float64][]int{1.5: {}, -2: nil})
	arrives(t, "array keys", map[[2]int8][]int{{1, 2}: {}, {1, 3}: nil})
	arrives(t, "complex", complex(1, -2))
	arrives(t, "recursive", tree{"a", []*tree{{"b", []*tree{}}, nil, {"c", nil}}})
	arrives(t, "large bytes", []byte(strings.Repeat("x", bulkSize)))
	arrives(t, "large string", strings.Repeat("y", bulkSize+1))
	type names []string
	arrives(t, "named slice", names{})
	type blob []byte
	arrives(t, "named large bytes", blob(strings.Repeat("z", bulkSize)))
}

func TestTimeArrivesAsTheSameInstant(t *testing.T) {
	now := time.Now()
	out, err := trip(t, reflect.TypeFor[time.Time](), now)
	if err != nil {
		t.Fatal(err)
	}
	if got := out.Interface().(time.Time); !got.Equal(now) {
		t.Errorf("sent %v, got %v", now, got)
	}
}

func TestErrorsInsideValuesArrive(t *testing.T) {
	type outcome struct {
		Err  error
		Errs []error
		By   map[string]error
	}
	_, missing := os.Open("/does/not/exist")
	out, err := trip(t, reflect.TypeFor[outcome](), outcome{
		Err:  fmt.Errorf("while opening: %w", missing),
		Errs: []error{nil, errors.New("plain")},
		By:   map[string]error{"a": fs.ErrPermission, "b": nil},
	})
	if err != nil {
		t.Fatal(err)
	}
	got := out.Interface().(outcome)
	var path *fs.PathError
	if !errors.Is(got.Err, fs.ErrNotExist) || !errors.As(got.Err, &path) || path.Path != "/does/not/exist" {
		t.Errorf("Err = %v", got.Err)
	}
	if len(got.Errs) != 2 || got.Errs[0] != nil || got.Errs[1].Error() != "plain" {
		t.Errorf("Errs = %v", got.Errs)
	}
	if !errors.Is(got.By["a"], fs.ErrPermission) || got.By["b"] != nil {
		t.Errorf("By = %v", got.By)
	}
	if out, err = trip(t, reflect.TypeFor[error](), missing); err != nil || !errors.Is(out.Interface().(error), fs.ErrNotExist) {
		t.Errorf("a bare error: %v, %v", out, err)
	}
}

func TestEncodingDoesNotChangeTheArguments(t *testing.T) {
	list := []*string{nil, nil}
	in := map[string][]*string{"a": list}
	if _, err := trip(t, reflect.TypeOf(in), in); err != nil {
		t.Fatal(err)
	}
	if list[0] != nil || in["a"][1] != nil {
		t.Error("the caller's slice was changed")
	}
}

func TestTypesThatCannotTravelAreRefused(t *testing.T) {
	type hidden struct{ secret int }
	type loop struct{ Next *loop }
	for _, c := range []struct {
		typ        reflect.Type
		path, want string
	}{
		{reflect.TypeFor[struct{ Opts struct{ Logger func() } }](), ".Opts.Logger", "func cannot travel"},
		{reflect.TypeFor[struct{ C chan int }](), ".C", "chan cannot travel"},
		{reflect.TypeFor[chan int](), "", "chan cannot travel"},
		{reflect.TypeFor[hidden](), ".secret", "not exported"},
		{reflect.TypeFor[[]hidden](), "[].secret", "not exported"},
		{reflect.TypeFor[map[string]hidden](), "[].secret", "not exported"},
		{reflect.TypeFor[**int](), "", "pointer to a pointer"},
		{reflect.TypeFor[*any](), "", "pointer to an interface"},
		{reflect.TypeFor[map[*int]string](), "[key]", "identity"},
		{reflect.TypeFor[map[any]string](), "[key]", "identity"},
		{reflect.TypeFor[map[string]struct{}](), "[]", "use bool"},
		{reflect.TypeFor[struct{ E struct{} }](), ".E", "use bool"},
		{reflect.TypeFor[fs.FileInfo](), "", "is an interface"},
		{reflect.TypeFor[struct{ W interface{ Nobody() } }](), ".W", "is an interface"},
		{reflect.TypeFor[loop](), ".Next", "recursive"},
	} {
		_, err := NewCodec("arg", []reflect.Type{reflect.TypeFor[int](), c.typ}, 0)
		var e *EncodingError
		if !errors.As(err, &e) || e.What != "arg 1" || e.Path != c.path || !strings.Contains(e.Why, c.want) {
			t.Errorf("%s: %v; want path %q and %q", c.typ, err, c.path, c.want)
		}
	}
}

func TestValuesThatCannotTravelAreRefused(t *testing.T) {
	type unknown struct{ A int }
	type loop struct{ Next *loop }
	circle := &loop{}
	circle.Next = circle
	list := []any{nil}
	list[0] = list
	for name, c := range map[string]struct {
		typ  reflect.Type
		v    any
		want string
	}{
		"unregistered in any": {reflect.TypeFor[any](), unknown{}, "RegisterValue"},
		"pointer in any":      {reflect.TypeFor[any](), &square{}, "RegisterValue"},
		"deep unregistered":   {reflect.TypeFor[[]map[string]any](), []map[string]any{{"k": unknown{}}}, "arg 0[0][k]: "},
		"circle":              {reflect.TypeFor[*loop](), circle, "deeper than the declared 8"},
		"circle of any":       {reflect.TypeFor[any](), list, "nested deeper"},
	} {
		_, err := trip(t, c.typ, c.v)
		var e *EncodingError
		if !errors.As(err, &e) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; want %q", name, err, c.want)
		}
	}
}

func TestDecodeRefusesForeignBytes(t *testing.T) {
	c, err := NewCodec("result", []reflect.Type{reflect.TypeFor[limits](), reflect.TypeFor[string]()}, 0)
	if err != nil {
		t.Fatal(err)
	}
	good, err := c.Encode([]reflect.Value{reflect.ValueOf(limits{Names: []string{}}), reflect.ValueOf(strings.Repeat("s", bulkSize))})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range map[string]Values{
		"nothing":        {},
		"no bulk":        {Gob: good.Gob},
		"marks only":     {Gob: good.Gob[:2]},
		"trailing bytes": {Gob: append(append([]byte{}, good.Gob...), 1, 2, 3), Bulk: good.Bulk},
		"huge mark":      {Gob: []byte{1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f}, Bulk: good.Bulk},
		"many marks":     {Gob: []byte{0xff, 0xff, 0xff, 0xff, 0x7f}},
	} {
		var e *EncodingError
		if _, err := c.Decode(v); !errors.As(err, &e) {
			t.Errorf("%s: error %v", name, err)
		}
	}
	for i := range good.Gob {
		for bit := range 8 {
			bad := append([]byte{}, good.Gob...)
			bad[i] ^= 1 << bit
			_, _ = c.Decode(Values{Gob: bad, Bulk: good.Bulk}) // must not panic
		}
	}
}

func TestAnyValueOfManyTypesArrives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		number := rapid.Ptr(rapid.IntRange(-1, 1), true)
		word := rapid.SampledFrom([]string{"", "a", "b"})
		inner := rapid.Custom(func(t *rapid.T) *limits2 {
			return &limits2{
				N:     rapid.Ptr(rapid.Int64Range(0, 1), true).Draw(t, "n"),
				Bytes: rapid.SampledFrom([][]byte{nil, {}, {0}, {1}}).Draw(t, "bytes"),
				List:  maybe(t, rapid.SliceOfN(rapid.Ptr(word, true), 0, 3)),
				Pair:  [2]*int{number.Draw(t, "p0"), number.Draw(t, "p1")},
			}
		})
		in := limits{
			Max:   number.Draw(t, "max"),
			Names: maybe(t, rapid.SliceOfN(word, 0, 3)),
			Deep:  maybe(t, rapid.SliceOfN(rapid.Map(rapid.SliceOfN(word, 0, 2), func(s []string) []string { return s }), 0, 3)),
			Flag:  rapid.Ptr(rapid.Bool(), true).Draw(t, "flag"),
			Any:   rapid.SampledFrom([]any{nil, 0, "", []string{}, []string(nil), time.Duration(0), []any{nil, 1}}).Draw(t, "any"),
		}
		if rapid.Bool().Draw(t, "sub") {
			in.Sub = map[string]*limits2{}
			for range rapid.IntRange(0, 3).Draw(t, "subs") {
				in.Sub[word.Draw(t, "key")] = rapid.OneOf(inner, rapid.Just((*limits2)(nil))).Draw(t, "value")
			}
		}
		c, err := NewCodec("arg", []reflect.Type{reflect.TypeFor[limits]()}, 0)
		if err != nil {
			t.Fatal(err)
		}
		packed, err := c.Encode([]reflect.Value{reflect.ValueOf(in)})
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Decode(packed)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(in, out[0].Interface()); diff != "" {
			t.Fatal(diff)
		}
	})
}

func maybe[T any](t *rapid.T, g *rapid.Generator[[]T]) []T {
	if rapid.Bool().Draw(t, "nil") {
		return nil
	}
	return g.Draw(t, "slice")
}
