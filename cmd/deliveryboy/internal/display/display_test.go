package display

import (
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"
)

type holder struct {
	PID     int    `json:"pid"`
	Program string `json:"program"`
}

type socket struct {
	Address netip.AddrPort `json:"address"`
	UID     int            `json:"uid"`
	Never   string         `json:"never"`
	Holders []holder       `json:"holders"`
	secret  int
}

type result struct {
	Name    string            `json:"name"`
	Took    time.Duration     `json:"took"`
	At      time.Time         `json:"at"`
	Groups  []string          `json:"groups"`
	None    []int             `json:"none"`
	Labels  map[string]int    `json:"labels"`
	Sockets []socket          `json:"sockets"`
	Text    string            `json:"text"`
	Data    []byte            `json:"data"`
	Deep    *result           `json:"deep"`
	Any     any               `json:"any"`
	Hidden  int               `json:"-"`
	Empty   map[string]string `json:"empty"`
}

func TestValue(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 1, 12, 0, 0, 0, time.UTC)
	for _, tt := range []struct {
		name  string
		value any
		want  string
	}{
		{"number", 42, "42\n"},
		{"text", "a\nb", "a\nb\n"},
		{"empty text", "", ""},
		{"hostile text", "\x1b[2J\u202e", "\\x1b[2J\\u{202e}\n"},
		{"bytes", []byte("text\n"), "text\n"},
		{"binary", []byte{0, 255}, "00000000  00 ff                                             |..|\n"},
		{"duration", 90 * time.Second, "1m30s\n"},
		{"time", at, "2024-05-01T12:00:00Z\n"},
		{"no time", time.Time{}, ""},
		{"address", netip.MustParseAddr("::1"), "::1\n"},
		{"pointer", new(int), "0\n"},
		{"nil", (*int)(nil), ""},
		{"texts", []string{"a", "b\n"}, "a\nb\\x0a\n"},
		{"zero struct", result{}, ""},
		{"map", map[string]any{"b": 1, "aa": []int{1, 2}, "c": nil}, "aa  1, 2\nb   1\nc\n"},
		{"table", []socket{
			{Address: netip.MustParseAddrPort("[::1]:80"), Holders: []holder{{7, "/bin/a b"}, {8, "c\n"}}},
			{UID: 33, secret: 1},
		}, "ADDRESS   UID  HOLDERS\n[::1]:80  0    7 /bin/a b, 8 c\\x0a\n          33\n"},
		{"empty table", []socket{}, ""},
		{"pointers in a table", []*holder{{1, "a"}, nil}, "PID  PROGRAM\n1    a\n\n"},
		{"struct", result{
			Name: "n\x1b", Took: time.Second, At: at, Groups: []string{"a", "b"}, Labels: map[string]int{"x": 1},
			Sockets: []socket{{UID: 1}}, Text: "1\n2\n", Data: []byte("d"), Deep: &result{Name: "in"}, Any: 7, Hidden: 9,
		}, `name    n\x1b
took    1s
at      2024-05-01T12:00:00Z
groups  a, b
none
data    d
any     7
empty
labels:
  x  1
sockets:
  UID
  1
text:
  1
  2
deep:
  name     in
  took     0s
  at
  groups
  none
  labels
  sockets
  text
  data
  deep
  any
  empty
`},
	} {
		var b strings.Builder
		if err := Value(&b, reflect.ValueOf(tt.value)); err != nil {
			t.Fatal(err)
		}
		if b.String() != tt.want {
			t.Errorf("%s:\n%s\nwant\n%s", tt.name, b.String(), tt.want)
		}
	}
}

func TestLargeBinaryIsCut(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	if err := Value(&b, reflect.ValueOf(make([]byte, 1<<20))); err != nil {
		t.Fatal(err)
	}
	if b.Len() > 8*maxDump || !strings.Contains(b.String(), "1048576 bytes in all") {
		t.Errorf("%d bytes: …%s", b.Len(), b.String()[max(b.Len()-100, 0):])
	}
}

func TestTableAligns(t *testing.T) {
	t.Parallel()
	got := Table([]string{"name", "doc"}, [][]string{{"é", "x"}, {"long name", ""}, {"tab\t", "y\n"}})
	want := "NAME       DOC\né          x\nlong name\ntab\\x09    y\\x0a\n"
	if got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
