package argument

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

type options struct {
	Path  string   `json:"path"`
	Limit int8     `json:"limit"`
	Inner *options `json:"inner"`
	List  []int    `json:"list"`
}

// read reads words as the arguments of fn.
func read(r *Reader, fn any, words ...string) ([]any, error) {
	t := reflect.TypeOf(fn)
	var params []reflect.Type
	for p := range t.Ins() {
		if p != reflect.TypeFor[context.Context]() {
			params = append(params, p)
		}
	}
	values, err := r.Read(t, params, words)
	if err != nil {
		return nil, err
	}
	out := []any{}
	for _, v := range values {
		out = append(out, v.Interface())
	}
	return out, nil
}

func TestRead(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "f.json")
	if err := os.WriteFile(file, []byte(`{"path": "from a file"}`+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	type key string
	for _, tt := range []struct {
		name  string
		fn    any
		words []string
		want  []any
	}{
		{"none", func() {}, nil, []any{}},
		{"context", func(context.Context, int) {}, []string{"7"}, []any{7}},
		{"basic", func(bool, int8, uint64, float64) {}, []string{"true", "-128", "18446744073709551615", " 1e3 "},
			[]any{true, int8(-128), uint64(18446744073709551615), 1e3}},
		{"word", func(string, string, string, string) {}, []string{"root", "007", "null", "{"},
			[]any{"root", "007", "null", "{"}},
		{"word with bytes", func(string) {}, []string{"\xff\n"}, []any{"\xff\n"}},
		{"empty word", func(string) {}, []string{""}, []any{""}},
		{"quoted word", func(string, key) {}, []string{`"a\u0041"`, `"@x"`}, []any{"aA", key("@x")}},
		{"duration", func(time.Duration, time.Duration) {}, []string{"1h30m", `"5s"`}, []any{90 * time.Minute, 5 * time.Second}},
		{"bytes", func([]byte) {}, []string{`"aGk="`}, []any{[]byte("hi")}},
		{"null", func(*int, []int, map[string]int) {}, []string{"null", "null", "null"},
			[]any{(*int)(nil), []int(nil), map[string]int(nil)}},
		{"address", func(netip.Addr) {}, []string{`"::1"`}, []any{netip.IPv6Loopback()}},
		{"struct", func(options) {}, []string{`{"path": "/x", "inner": {"limit": 3}, "list": [1, 2]}`},
			[]any{options{Path: "/x", Inner: &options{Limit: 3}, List: []int{1, 2}}}},
		{"struct left out", func(string, options) {}, []string{"a"}, []any{"a", options{}}},
		{"variadic", func(string, ...int) {}, []string{"a", "1", "2"}, []any{"a", []int{1, 2}}},
		{"variadic without", func(...int) {}, nil, []any{[]int{}}},
		{"file", func(options) {}, []string{"@" + file}, []any{options{Path: "from a file"}}},
		{"file as a word", func(string) {}, []string{"@" + file}, []any{`{"path": "from a file"}` + "\n"}},
		{"stdin", func(options, string) {}, []string{"-", "x"}, []any{options{Path: "from stdin"}, "x"}},
		{"map keys that differ in case", func(map[string]int) {}, []string{`{"a": 1, "A": 2}`}, []any{map[string]int{"a": 1, "A": 2}}},
		{"same key in other objects", func([]map[string]int) {}, []string{`[{"a": 1}, {"a": 2}]`},
			[]any{[]map[string]int{{"a": 1}, {"a": 2}}}},
		{"any", func(any) {}, []string{`[1]`}, []any{[]any{1.0}}},
	} {
		got, err := read(&Reader{Stdin: strings.NewReader(`{"path": "from stdin"}`)}, tt.fn, tt.words...)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		equal := cmp.Comparer(func(a, b netip.Addr) bool { return a == b })
		if diff := cmp.Diff(tt.want, got, equal); diff != "" {
			t.Errorf("%s: %s", tt.name, diff)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	t.Parallel()
	one := func(options) {}
	for _, tt := range []struct {
		name  string
		fn    any
		words []string
		says  []string
	}{
		{"unknown field", one, []string{`{"pth": 1}`}, []string{"argument 1", `unknown field "pth"`, "path, limit, inner, list", "func(argument.options)"}},
		{"unknown field inside", one, []string{`{"inner": {"pth": 1}}`}, []string{`unknown field "pth"`}},
		{"wrong type", one, []string{`{"path": 7}`}, []string{"argument 1.path", "JSON number", "string is wanted"}},
		{"wrong type inside", one, []string{`{"inner": {"limit": "x"}}`}, []string{".inner.limit", "int8"}},
		{"overflow", one, []string{`{"limit": 128}`}, []string{".limit", "number 128", "int8"}},
		{"fraction", func(int) {}, []string{"1.5"}, []string{"number 1.5", "int"}},
		{"negative", func(uint) {}, []string{"-1"}, []string{"number -1", "uint"}},
		{"word for a number", func(int) {}, []string{"abc"}, []string{`"abc"`, "no JSON, at byte 1"}},
		{"empty", func(int) {}, []string{""}, []string{`""`, "empty", "int"}},
		{"null", func(int) {}, []string{"null"}, []string{"null does not fit int"}},
		{"null for a struct", one, []string{"null"}, []string{"null does not fit argument.options"}},
		{"array for a struct", one, []string{"[]"}, []string{"JSON array", "argument.options is wanted"}},
		{"cut off", one, []string{`{"path": "x"`}, []string{"ends in the middle"}},
		{"two values", one, []string{`{} {}`}, []string{"more after the JSON value"}},
		{"rubbish behind", func(int) {}, []string{`1x`}, []string{"argument 1"}},
		{"given twice", one, []string{`{"path": "a", "path": "b"}`}, []string{`field "path" is given twice`}},
		{"given twice inside", one, []string{`{"inner": {"limit": 1, "list": [1], "limit": 2}}`}, []string{`"limit" is given twice`}},
		{"no utf-8", func(options) {}, []string{"{\"path\": \"\xff\"}"}, []string{"byte 10 is not UTF-8"}},
		{"bad quoted word", func(string) {}, []string{`"a`}, []string{"ends in the middle"}},
		{"duration without unit", func(time.Duration) {}, []string{"30"}, []string{"no duration", "30s"}},
		{"base64", func([]byte) {}, []string{`"?"`}, []string{"argument 1", "base64"}},
		{"function", func(func()) {}, []string{"1"}, []string{"func() cannot be given on a command line"}},
		{"channel", func(<-chan int) {}, []string{"1"}, []string{"cannot be given on a command line"}},
		{"reader", func(io.Reader) {}, []string{"-"}, []string{"io.Reader cannot be given on a command line"}},
		{"no file", one, []string{"@/no/such/file"}, []string{`"@/no/such/file"`, "cannot be read", "no such file"}},
		{"second", func(int, int) {}, []string{"1", "x"}, []string{"argument 2"}},
		{"stdin twice", func(string, string) {}, []string{"-", "-"}, []string{"argument 2", "read for argument 1 already"}},
		{"too many", func(int) {}, []string{"1", "2"}, []string{"too many", "2 given, 1 wanted", "func(int)"}},
		{"too few", func(int, options) {}, nil, []string{"too few", "0 given, 2 wanted"}},
		{"too few before the rest", func(int, ...int) {}, nil, []string{"too few", "0 given, 1 wanted"}},
		{"long word", func(int) {}, []string{strings.Repeat("é", 100)}, []string{"é…"}},
		{"deep", func(any) {}, []string{strings.Repeat("[", 20_000)}, []string{"argument 1"}},
	} {
		_, err := read(&Reader{Stdin: strings.NewReader("x")}, tt.fn, tt.words...)
		if err == nil {
			t.Errorf("%s: no error", tt.name)
			continue
		}
		for _, part := range tt.says {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: %q does not say %q", tt.name, err, part)
			}
		}
		var count *CountError
		if few := strings.HasPrefix(tt.name, "too"); few != errors.As(err, &count) {
			t.Errorf("%s: %T", tt.name, err)
		}
	}
	_, err := read(&Reader{}, one, "@/no/such/file")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v is not fs.ErrNotExist", err)
	}
	_, err = read(&Reader{Stdin: strings.NewReader("{}"), StdinTerminal: true}, one, "-")
	if err == nil || !strings.Contains(err.Error(), "stdin is a terminal") {
		t.Errorf("terminal: %v", err)
	}
}

// zeros is a stream of n zeros.
func zeros(n int64) io.Reader { return io.LimitReader(zeroReader{}, n) }

type zeroReader struct{}

func (zeroReader) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = '0'
	}
	return len(p), nil
}

func TestReadCap(t *testing.T) {
	t.Parallel()
	got, err := read(&Reader{Stdin: zeros(MaxSize)}, func(string) {}, "-")
	if err != nil || len(got[0].(string)) != MaxSize {
		t.Errorf("exactly the most: %v", err)
	}
	_, err = read(&Reader{Stdin: zeros(MaxSize + 1)}, func(string) {}, "-")
	if err == nil || !strings.Contains(err.Error(), "104857600") {
		t.Errorf("one more: %v", err)
	}
}

func TestShape(t *testing.T) {
	t.Parallel()
	type hidden struct {
		A int    `json:"-"`
		B []byte // no tag
		c int
	}
	for _, tt := range []struct {
		typ  reflect.Type
		want string
	}{
		{reflect.TypeFor[string](), "string"},
		{reflect.TypeFor[[]int](), "[int, …]"},
		{reflect.TypeFor[map[string]bool](), `{"…": bool, …}`},
		{reflect.TypeFor[time.Duration](), "duration such as 30s"},
		{reflect.TypeFor[time.Time](), "string (time.Time)"},
		{reflect.TypeFor[*int](), "int or null"},
		{reflect.TypeFor[hidden](), `{"B": base64 string}`},
		{reflect.TypeFor[options](), `{"path": string, "limit": int8, "inner": argument.options or null, "list": [int, …]}`},
		{reflect.TypeFor[any](), "any JSON"},
	} {
		if got := Shape(tt.typ); got != tt.want {
			t.Errorf("Shape(%v) = %s, want %s", tt.typ, got, tt.want)
		}
	}
}

// FuzzStrict checks that what is accepted says the same to encoding/json, and that nothing makes the checks fail.
func FuzzStrict(f *testing.F) {
	for _, s := range []string{`{"path":"x"}`, `{"path":1,"path":2}`, `[{}]`, `{"a":[{"a":{}}]}`, "nul", "\xff", `{"a"`, `{"limit":1}}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		v, failed := decode(reflect.TypeFor[options](), []byte(s))
		if failed != nil {
			return
		}
		var want options
		if err := json.Unmarshal([]byte(s), &want); err != nil {
			t.Fatalf("%q is accepted, and json says %v", s, err)
		}
		if diff := cmp.Diff(want, v.Interface()); diff != "" {
			t.Fatal(diff)
		}
	})
}
