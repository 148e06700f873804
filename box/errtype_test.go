package box

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"
)

type (
	goodEmpty  struct{}
	goodRich   struct{ fields }
	badFunc    struct{ Opts struct{ Notify func() } }
	badChan    struct{ List []map[string]chan int }
	badAny     struct{ Detail any }
	badKey     struct{ Seen map[any]bool }
	badHidden  struct{ text string }
	badInside  struct{ Guard badHidden }
	badBase    struct{ base }
	base       struct{ N int }
	badPointer struct{ Raw uintptr }
	recursive  struct {
		Next *recursive
		All  []recursive
	}
	fields struct {
		When time.Time
		Big  *big.Int
		URL  url.URL
		Set  map[string]struct{}
		Arr  [2]int8
		C    complex64
	}
	textual struct{ text string }
)

func (goodEmpty) Error() string  { return "empty" }
func (badFunc) Error() string    { return "" }
func (badChan) Error() string    { return "" }
func (badAny) Error() string     { return "" }
func (badKey) Error() string     { return "" }
func (badHidden) Error() string  { return "" }
func (badInside) Error() string  { return "" }
func (badBase) Error() string    { return "" }
func (badPointer) Error() string { return "" }
func (recursive) Error() string  { return "recursive" }
func (goodRich) Error() string   { return "rich" }
func (fields) Error() string     { return "fields" }
func (t textual) Error() string  { return t.text }

func (t textual) MarshalText() ([]byte, error)     { return []byte(t.text), nil }
func (t *textual) UnmarshalText(text []byte) error { t.text = string(text); return nil }

func TestRegisterErrorNamesTheField(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		typ  reflect.Type
		want string // a part of the complaint; empty: it can travel
	}{
		{reflect.TypeFor[goodEmpty](), ""},
		{reflect.TypeFor[*recursive](), ""},
		{reflect.TypeFor[fields](), ""},
		{reflect.TypeFor[textual](), ""},
		{reflect.TypeFor[badPointer](), ""},
		{reflect.TypeFor[badFunc](), ".Opts.Notify: func() cannot travel"},
		{reflect.TypeFor[*badChan](), ".List[][]: chan int cannot travel"},
		{reflect.TypeFor[badAny](), ".Detail: interface {} cannot travel"},
		{reflect.TypeFor[badKey](), ".Seen[key]: interface {} cannot travel"},
		{reflect.TypeFor[badHidden](), "box.badHidden cannot travel: it has no exported field"},
		{reflect.TypeFor[badInside](), ".Guard: box.badHidden cannot travel: it has no exported field"},
		{reflect.TypeFor[badBase](), ".base: box.base cannot travel: it is embedded and unexported"},
		{reflect.TypeFor[goodRich](), ".fields: box.fields cannot travel"},
		{reflect.TypeFor[error](), "it is an interface"},
		{reflect.TypeFor[struct{ error }](), "it has no name"},
	} {
		err := travels(tt.typ)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v; want %q", tt.typ, err, tt.want)
		}
	}
}

func TestRegisterErrorPanics(t *testing.T) {
	t.Parallel()
	defer func() {
		if got, want := fmt.Sprint(recover()), "box: register error box.badFunc: .Opts.Notify: func() cannot travel"; !strings.Contains(got, want) {
			t.Errorf("it panics with %q; want %q", got, want)
		}
	}()
	RegisterError[badFunc]()
}

func TestRegisterErrorTwice(t *testing.T) {
	t.Parallel()
	RegisterError[goodEmpty]()
	RegisterError[goodEmpty]()
}

func TestRegisterErrorWithTheSameName(t *testing.T) {
	t.Parallel()
	register := func(typ reflect.Type) error {
		return errtypes.add(&errtype{key: "box_test.Twin", typ: typ})
	}
	if err := register(reflect.TypeFor[textual]()); err != nil {
		t.Fatal(err)
	}
	if err := register(reflect.TypeFor[fields]()); err == nil || !strings.Contains(err.Error(), `"box_test.Twin"`) {
		t.Errorf("a second type of the same name gives %v", err)
	}
}

// Fields of all kinds come back as they were, whatever is nil or empty.
func TestFieldsOfAllKinds(t *testing.T) {
	t.Parallel()
	kind := &errtype{typ: reflect.TypeFor[fields]()}
	for _, want := range []fields{
		{},
		{When: time.Date(2030, 1, 2, 3, 4, 5, 6, time.UTC), Big: big.NewInt(1 << 40), URL: url.URL{Scheme: "https", Host: "h"},
			Set: map[string]struct{}{"a": {}, "b": {}}, Arr: [2]int8{-1, 127}, C: complex(1, -1)},
		{Set: map[string]struct{}{}},
	} {
		b, err := kind.encode(want, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := kind.decode(b, nil)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
		for cut := range b {
			if _, err := kind.decode(b[:cut], nil); err == nil {
				t.Errorf("%d of %d bytes decode", cut, len(b))
			}
		}
	}
}

func TestRegisterSentinelPanics(t *testing.T) {
	t.Parallel()
	one, two := errOne, errors.New("two")
	RegisterSentinel("test.One", one)
	RegisterSentinel("test.One", one) // the same once more
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"", two, "the name must have 1 to 128 bytes"},
		{strings.Repeat("x", 200), two, "the name must have 1 to 128 bytes"},
		{"test.Nil", nil, "the error is nil"},
		{"test.Slice", uncomparable{1}, "cannot be compared"},
		{"test.One", two, `the name is already taken by *errors.errorString "one", and cannot be *errors.errorString "two" as well`},
		{"test.Uno", one, `the error "one" is already registered as "test.One"`},
		{"test.EOF", io.EOF, `the error "EOF" is already registered as "io.EOF"`},
		{"io.EOF", two, `the name is already taken by *errors.errorString "EOF"`},
	} {
		t.Run(tt.want, func(t *testing.T) {
			t.Parallel()
			defer func() {
				if got := fmt.Sprint(recover()); !strings.HasPrefix(got, "box: register sentinel ") || !strings.Contains(got, tt.want) {
					t.Errorf("it panics with %q; want %q", got, tt.want)
				}
			}()
			RegisterSentinel(tt.name, tt.err)
		})
	}
}

var errOne = errors.New("one")

type uncomparable []int

func (uncomparable) Error() string { return "uncomparable" }

// halfHidden has a text that its exported fields do not give.
type halfHidden struct {
	Code int
	word string
}

func (h halfHidden) Error() string { return fmt.Sprintf("%s %d", h.word, h.Code) }

// An error that lost a part of itself keeps its text all the same, also inside another.
func TestATextOutlivesUnexportedFields(t *testing.T) {
	t.Parallel()
	RegisterError[halfHidden]()
	err := FaultOf(&fs.PathError{Op: "read", Path: "/x", Err: halfHidden{5, "quota"}}).Err(Origin{})
	var path *fs.PathError
	var half halfHidden
	if !errors.As(err, &path) || path.Error() != "read /x: quota 5" || !errors.As(err, &half) || half.Code != 5 {
		t.Errorf("got %v, %v", path, half)
	}
}

func TestProcessStates(t *testing.T) {
	t.Parallel()
	kind := &errtype{typ: reflect.TypeFor[*exec.ExitError]()}
	for _, status := range []syscall.WaitStatus{0, 3 << 8, 255 << 8, 9, 15, 11 | 0x80} {
		state := &os.ProcessState{}
		field, err := hiddenField(reflect.ValueOf(state).Elem(), "status")
		if err != nil {
			t.Fatal(err)
		}
		field.SetUint(uint64(status))
		b, err := kind.encode(&exec.ExitError{ProcessState: state, Stderr: []byte("x")}, nil)
		if err != nil {
			t.Fatal(err)
		}
		got, err := kind.decode(b, nil)
		if err != nil || got.(*exec.ExitError).Sys().(syscall.WaitStatus) != status || got.Error() != state.String() {
			t.Errorf("status %#x gives %v, %v", uint32(status), got, err)
		}
	}
}
