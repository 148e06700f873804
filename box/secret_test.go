package box_test

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"log/slog"
	"reflect"
	"strings"
	"testing"
	"text/template"

	"github.com/seed354a1416/deliveryboy/box"
)

const canary = "canary-9f31-secret"

// account has secrets where people put them: fields that are exported, or not, and values of maps and slices.
type account struct {
	Name    string
	Exposed box.Secret[string]
	inside  box.Secret[string]
	Bytes   box.Secret[[]byte]
	Deep    map[string][]box.Secret[login]
	Pointer *box.Secret[string]
}

type holder struct{ P box.Secret[string] }

type login struct{ User, Password string }

func newAccount() account {
	s := box.NewSecret(canary)
	return account{
		Name: "www", Exposed: s, inside: s, Bytes: box.NewSecret([]byte(canary)), Pointer: &s,
		Deep: map[string][]box.Secret[login]{"a": {box.NewSecret(login{"www", canary})}},
	}
}

func clean(t *testing.T, how, text string) {
	t.Helper()
	for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%X", canary), "99 97 110 97 114 121", "0x63, 0x61"} {
		if strings.Contains(text, form) {
			t.Errorf("%s shows the secret: %s", how, text)
		}
	}
}

// TestASecretIsNotShown goes through all verbs and flags of fmt, for the secret itself and inside of other values.
func TestASecretIsNotShown(t *testing.T) {
	a := newAccount()
	for verb := 'A'; verb <= 'z'; verb++ {
		for _, flags := range []string{"", "+", "#", " ", "-20", "020", ".3", "+#", "# "} {
			format := "%" + flags + string(verb)
			for _, v := range []any{a.Exposed, &a.Exposed, a.Bytes, a, &a, []any{a.Exposed, a}, map[string]any{"k": a.Exposed}, struct{ any }{a.inside}} {
				clean(t, format, fmt.Sprintf(format, v))
			}
		}
	}
	if got := fmt.Sprintf("%v %s %q %#v %+v %d", a.Exposed, a.Exposed, a.Exposed, a.Exposed, a.Exposed, a.Bytes); got != strings.Repeat(" [secret]", 6)[1:] {
		t.Errorf("%s", got)
	}
	clean(t, "an error", fmt.Errorf("login as %v: %w", a, errors.New("refused")).Error())
	clean(t, "print", fmt.Sprint(a, a.Exposed, "x")+fmt.Sprintln(a.Bytes))
}

// TestASecretIsNotEncoded is the like for what writes values in other ways.
func TestASecretIsNotEncoded(t *testing.T) {
	a := newAccount()
	var out bytes.Buffer
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Error(err)
		}
	}
	must(json.NewEncoder(&out).Encode(a))
	must(json.NewEncoder(&out).Encode(map[string]any{"pw": a.Exposed, "b": a.Bytes}))
	must(xml.NewEncoder(&out).Encode(holder{a.Exposed}))
	for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
		slog.New(h).With("with", a.Bytes).Info("login", "pw", a.Exposed, "in", a, slog.Group("g", "deep", a.Deep, "p", a.Pointer))
	}
	must(template.Must(template.New("").Parse("{{.}} {{.Exposed}} {{printf `%s %v` .Exposed .Bytes}}")).Execute(&out, a))
	clean(t, "an encoder", out.String())
	func() {
		defer func() { clean(t, "a panic", fmt.Sprint(recover())) }()
		panic(a)
	}()
}

// TestASecretTravels is about gob and JSON as they are read.
func TestASecretTravels(t *testing.T) {
	a := newAccount()
	var buf bytes.Buffer
	var got account
	if err := gob.NewEncoder(&buf).Encode(a); err != nil {
		t.Fatal(err)
	}
	if err := gob.NewDecoder(&buf).Decode(&got); err != nil {
		t.Fatal(err)
	}
	if got.Exposed.Reveal() != canary || string(got.Bytes.Reveal()) != canary || got.Pointer.Reveal() != canary ||
		got.Deep["a"][0].Reveal() != (login{"www", canary}) {
		t.Errorf("%q %q", got.Exposed.Reveal(), got.Bytes.Reveal())
	}
	var s box.Secret[login]
	if err := json.Unmarshal([]byte(`{"User":"u","Password":"p"}`), &s); err != nil || s.Reveal() != (login{"u", "p"}) {
		t.Errorf("%v, %v", s.Reveal(), err)
	}
	if err := json.Unmarshal([]byte(`{"User":1,"Password":"`+canary+`"}`), &s); err == nil || s.Reveal().User != "u" {
		t.Errorf("%v", err)
	} else {
		clean(t, "an error", err.Error())
	}
}

// TestASecretOfBadBytes gives what a hostile side may send.
func TestASecretOfBadBytes(t *testing.T) {
	var text box.Secret[string]
	var deep box.Secret[[][][]login]
	good, err := box.NewSecret([][][]login{{{{"a", "b"}}}}).GobEncode()
	if err != nil {
		t.Fatal(err)
	}
	for n := range good {
		flipped := bytes.Clone(good)
		flipped[n] ^= 0x80
		for _, b := range [][]byte{good[:n], flipped} {
			_ = deep.GobDecode(b) // an error or a value, and never a panic or more memory than the bytes are worth
			if err := text.GobDecode(b); err == nil {
				t.Errorf("%q is a string", b)
			}
		}
	}
	if err := deep.GobDecode(good); err != nil || !reflect.DeepEqual(deep.Reveal(), [][][]login{{{{"a", "b"}}}}) {
		t.Errorf("%v", err)
	}
}

func TestWipe(t *testing.T) {
	raw := []byte(canary)
	s := box.NewSecret(raw)
	copied := s
	s.Wipe()
	if len(copied.Reveal()) > 0 || bytes.Contains(raw, []byte("canary")) {
		t.Errorf("%q %q", copied.Reveal(), raw)
	}
	var zero box.Secret[string]
	zero.Wipe()
	if zero.Reveal() != "" || zero.String() != "[secret]" {
		t.Error("the zero secret")
	}
}
