package pool

import (
	"bufio"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/process"
)

func TestEB23Lines(t *testing.T) {
	for text, want := range map[string]line{
		`{"id":1,"run":["ls","-al"]}`: {id: 1, kill: -1, config: process.Config{Argv: []string{"ls", "-al"}}},
		` {"whole" : true, "shell":"a|b","id":0,"timeout":1.5,"stdin":"DQoA","dir":"/","env":{"A":"","B":"ü\ud83d\ude00"}} `: {
			kill: -1, whole: true, timeout: 1500 * time.Millisecond, stdin: []byte("\r\n\x00"),
			config: process.Config{Cmdline: "a|b", Shell: true, Dir: "/", Env: map[string]string{"A": "", "B": "ü😀"}},
		},
		`{"id":2,"kill":1}`:                            {id: 2, kill: 1},
		`{"id":3,"run":["\ufffd","` + "\ufffd" + `"]}`: {id: 3, kill: -1, config: process.Config{Argv: []string{"\ufffd", "\ufffd"}}},
	} {
		got, err := parseLine([]byte(text))
		if err != nil {
			t.Errorf("%s: %v", text, err)
		} else if d := cmp.Diff(want, got, cmp.AllowUnexported(line{})); d != "" {
			t.Errorf("%s: (-want +got)\n%s", text, d)
		}
	}
}

// badLines are lines, the id of the answer and what it says.
var badLines = []struct {
	text string
	id   int64
	why  string
}{
	{``, -1, "no JSON object"},
	{`[]`, -1, "no JSON object"},
	{`"x"`, -1, "no JSON object"},
	{`{"id":1`, -1, "no JSON object"},
	{`{"id":1,}`, -1, "no JSON object"},
	{`{"id":1,"run":["a"]}}`, -1, "more follows"},
	{`{"id":1,"run":["a"]} {}`, -1, "more follows"},
	{"{\"id\":1,\"run\":[\"\xff\"]}", -1, "not UTF-8"},
	{`{"id":1,"x":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `}`, -1, "no JSON object"},
	{`{"run":["a"]}`, -1, `key "id": it is missing`},
	{`{"id":null,"run":["a"]}`, -1, "whole number"},
	{`{"id":-1,"run":["a"]}`, -1, "whole number"},
	{`{"id":1.5,"run":["a"]}`, -1, "whole number"},
	{`{"id":9007199254740992,"run":["a"]}`, -1, "whole number"},
	{`{"id":"1","run":["a"]}`, -1, "whole number"},
	{`{"id":1}`, 1, "give one of"},
	{`{"id":1,"run":["a"],"shell":"a"}`, 1, "give one of"},
	{`{"id":1,"run":[]}`, 1, "it is empty"},
	{`{"id":1,"shell":""}`, 1, "it is empty"},
	{`{"id":1,"run":"a"}`, 1, "array of strings"},
	{`{"id":1,"run":null}`, 1, "array of strings"},
	{`{"id":1,"run":["a",null]}`, 1, "array of strings"},
	{`{"id":1,"run":["a",["b"]]}`, 1, "array of strings"},
	{`{"id":1,"run":["\ud800"]}`, 1, "surrogate"},
	{`{"id":1,"run":["a\u0000"]}`, 1, "NUL"},
	{`{"id":1,"shell":1}`, 1, "must be a string"},
	{`{"id":1,"run":["a"],"dir":null}`, 1, "must be a string"},
	{`{"id":1,"run":["a"],"stdin":"%"}`, 1, "base64"},
	{`{"id":1,"run":["a"],"stdin":[1]}`, 1, "base64"},
	{`{"id":1,"run":["a"],"env":["A=1"]}`, 1, "object of strings"},
	{`{"id":1,"run":["a"],"env":{"A":1}}`, 1, `variable "A"`},
	{`{"id":1,"run":["a"],"env":{"A":"","A":""}}`, 1, "it comes twice"},
	{`{"id":1,"run":["a"],"env":{"A=B":""}}`, 1, "env"},
	{`{"id":1,"run":["a"],"timeout":0}`, 1, "number of seconds"},
	{`{"id":1,"run":["a"],"timeout":1e300}`, 1, "number of seconds"},
	{`{"id":1,"run":["a"],"timeout":null}`, 1, "number of seconds"},
	{`{"id":1,"run":["a"],"whole":1}`, 1, "true or false"},
	{`{"id":1,"run":["a"],"whole":null}`, 1, "true or false"},
	{`{"id":1,"run":["a"],"user":"root"}`, 1, `key "user": it is not known`},
	{`{"id":1,"Run":["a"]}`, 1, `key "Run": it is not known`},
	{`{"x":1,"id":1,"run":["a"]}`, 1, "not known"},
	{`{"id":1,"run":["a"],"run":["b"]}`, 1, "it comes twice"},
	{`{"id":2,"kill":1,"run":["a"]}`, 2, "there can only be"},
	{`{"id":2,"kill":true}`, 2, "whole number"},
}

func TestEB23BadLines(t *testing.T) {
	for _, c := range badLines {
		l, err := parseLine([]byte(c.text))
		if err == nil || l.id != c.id || !strings.Contains(err.Error(), c.why) {
			t.Errorf("%.100q: id %d, %v; want %d, %q", c.text, l.id, err, c.id, c.why)
		}
	}
}

func TestEB23ReadLine(t *testing.T) {
	long := strings.Repeat("x", maxLine-1)
	r := bufio.NewReader(strings.NewReader("a\r\n\n" + long + "\n" + long + "x\n"))
	for _, want := range []string{"a", "", long} {
		if got, err := readLine(r); err != nil || string(got) != want {
			t.Fatalf("%.20q, %v; want %.20q", got, err, want)
		}
	}
	if _, err := readLine(r); err != errLine { //nolint:errorlint // it is not wrapped
		t.Error(err)
	}
	if _, err := readLine(bufio.NewReader(strings.NewReader("{"))); err != errNoEnd { //nolint:errorlint // it is not wrapped
		t.Error(err)
	}
}

// FuzzEB23Line: what is read is a command or the end of one, with an id, and within its limits.
func FuzzEB23Line(f *testing.F) {
	for _, c := range badLines {
		f.Add([]byte(c.text))
	}
	f.Add([]byte(`{"id":1,"run":["ls"],"env":{"A":"b"},"stdin":"DQoA","dir":"/","timeout":1,"whole":true}`))
	f.Add([]byte(`{"id":2,"kill":1}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		l, err := parseLine(text)
		if err != nil {
			return
		}
		runs := len(l.config.Argv) > 0 != (l.config.Cmdline != "")
		switch {
		case l.id < 0 || l.id > maxID || l.kill > maxID || runs == (l.kill >= 0):
			t.Errorf("%q: %+v", text, l)
		case l.timeout < 0 || l.timeout > maxSeconds*time.Second || len(l.stdin) > len(text):
			t.Errorf("%q: %+v", text, l)
		case runs && l.config.Check() != nil:
			t.Errorf("%q: %v", text, l.config.Check())
		}
	})
}
