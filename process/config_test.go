package process_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seed354a1416/deliveryboy/process"
)

func TestGA01Everything(t *testing.T) {
	ended := make(chan process.Event, 1)
	p := prepare(t, process.Config{
		Name: "all", Cmdline: "/bin/sh -c", Argv: []string{`read a; echo "$a $W $(pwd)"; echo err >&2; read b <&3; echo "<$b>" >&3`},
		Env: map[string]string{"W": "world"}, Dir: "/", Outputs: []string{"out", "err"}, Input: true, Streams: []string{"ctl"},
	})
	x := newText()
	if _, err := p.OnOutput(".", x.hear); err != nil {
		t.Fatal(err)
	}
	p.OnExit(func(e process.Event) { ended <- e })
	start(t, p)
	in, err := p.Stdin()
	if err == nil {
		err = in.WriteLines("hello")
	}
	if err != nil {
		t.Fatal(err)
	}
	x.until(t, "hello world /\n")
	ctl, err := p.Stream("ctl")
	if err == nil {
		_, err = ctl.Write([]byte("x\n"))
	}
	if err != nil {
		t.Fatal(err)
	}
	if s := wait(t, p); !s.Success() {
		t.Errorf("%s", &s)
	}
	e := <-ended
	if e.Name != "all" || e.PID != p.PID() || e.State == nil || !e.State.Success() {
		t.Errorf("%+v", e)
	}
	for _, want := range []string{"err\n", "<x>\n"} {
		x.until(t, want)
	}
}

func TestGA02Split(t *testing.T) {
	for text, want := range map[string][]string{
		"":                         nil,
		"  \n\t ":                  nil,
		"a b\tc\nd":                {"a", "b", "c", "d"},
		`a 'b  c' "d \"e\" $f"`:    {"a", "b  c", `d "e" $f`},
		`a\ b c\\ 'd\e' "f\g"`:     {"a b", `c\`, `d\e`, `f\g`},
		`'' "" x''y`:               {"", "", "xy"},
		"a\\\nb \"c\\\nd\"":        {"ab", "cd"},
		`a|b >c # d`:               {"a|b", ">c", "#", "d"},
		"ä 'ö ü'":                  {"ä", "ö ü"},
		`--x="a b"'c d'`:           {"--x=a bc d"},
		`"\$HOME \` + "`" + `x\\"`: {"$HOME `x\\"},
	} {
		if got, err := process.Split(text); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
	for _, text := range []string{`'a`, `a "b`, `a\`, `"a\"`} {
		if got, err := process.Split(text); err == nil {
			t.Errorf("%q: %q", text, got)
		}
	}
	if got := output(t, process.Config{Cmdline: `printf '<%s>' "a b"`, Argv: []string{"c d", "$HOME"}}); got != "<a b><c d><$HOME>" {
		t.Errorf("%q", got)
	}
}

// What is quoted is split into the same words, by Split and by a real shell.
func TestGA02QuoteRandom(t *testing.T) {
	word := rapid.StringOf(rapid.RuneFrom([]rune("ab '\"\\$`\n\t!*?[]{}()<>|&;#~=%äö-")))
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(word, 1, 5).Draw(t, "words")
		got, err := process.Split(process.Quote(words))
		if err != nil || !slices.Equal(got, words) {
			t.Fatalf("%q became %q, %v", words, got, err)
		}
		out, err := exec.Command("/bin/sh", "-c", "printf '%s\\0' "+process.Quote(words)).Output() //nolint:noctx // ends by itself
		if err != nil || strings.TrimSuffix(string(out), "\x00") != strings.Join(words, "\x00") {
			t.Fatalf("the shell made %q of %q, %v", out, words, err)
		}
	})
}

func FuzzSplit(f *testing.F) {
	f.Add(`a 'b' "c\"" \d`)
	f.Fuzz(func(t *testing.T, text string) {
		words, err := process.Split(text)
		if err != nil {
			return
		}
		again, err := process.Split(process.Quote(words))
		if err != nil || !slices.Equal(words, again) {
			t.Errorf("%q: %q became %q, %v", text, words, again, err)
		}
	})
}

func TestGA03Expand(t *testing.T) {
	t.Setenv("PROCESS_TEST_OUTER", "outer")
	c := process.Config{
		Cmdline: `printf %s,`, Argv: []string{"$WHO", "a${WHO}b", "$$WHO", "$PROCESS_TEST_OUTER", "$_x1-"},
		Env: map[string]string{"WHO": "me $WHO", "_x1": ""}, Expand: true,
	}
	if got := output(t, c); got != "me $WHO,ame $WHOb,$WHO,outer,-," {
		t.Errorf("%q", got)
	}
	for _, bad := range []string{"$NO_SUCH_NAME", "${NO_SUCH_NAME}", "$", "a$", "${", "${}", "${a", "$1", "${a b}"} {
		c.Argv = []string{bad}
		_, err := process.Start(c)
		var wrong *process.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != "expand" {
			t.Errorf("%q: %v", bad, err)
		}
	}
	c.Expand, c.Argv = false, []string{"$WHO"}
	if got := output(t, c); got != "$WHO," {
		t.Errorf("without being asked to: %q", got)
	}
}

func TestGA05Dir(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if got := output(t, process.Config{Cmdline: "pwd"}); got != dir {
		t.Errorf("%q", got)
	}
	p := prepare(t, process.Config{Cmdline: "true"})
	if got := p.Info().Dir; got != dir {
		t.Errorf("info: %q", got)
	}
	if got := output(t, process.Config{Cmdline: `sh -c 'pwd; echo $PWD'`, Dir: "/usr"}); got != "/usr\n/usr" {
		t.Errorf("%q", got)
	}
	if _, err := process.Start(process.Config{Cmdline: "true", Dir: "/does/not/exist"}); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), "/does/not/exist") {
		t.Errorf("%v", err)
	}
}

// With sh -c CMD ARG… the arguments would be $0 and $1: here, they belong to the command.
func TestGA06Shell(t *testing.T) {
	c := process.Config{Shell: true, Cmdline: `X=1; printf '<%s>' "$X"`, Argv: []string{"a b", "$X", "it's", ";", "*"}}
	if got, want := output(t, c), "<1><a b><$X><it's><;><*>"; got != want {
		t.Errorf("%q, not %q", got, want)
	}
	if got := output(t, process.Config{Shell: true, Cmdline: "echo a | tr a b"}); got != "b" {
		t.Errorf("%q", got)
	}
	if got := output(t, process.Config{Shell: true, Argv: []string{"echo", "a | b"}}); got != "a | b" {
		t.Errorf("%q", got)
	}
}

func TestGA07EnvMerge(t *testing.T) {
	t.Setenv("PROCESS_TEST_A", "outer")
	t.Setenv("PROCESS_TEST_B", "outer")
	show := `/bin/sh -c 'echo "$PROCESS_TEST_A $PROCESS_TEST_B $PROCESS_TEST_C"'`
	env := map[string]string{"PROCESS_TEST_A": "inner", "PROCESS_TEST_C": "inner"}
	for inherit, want := range map[process.Inherit]string{
		"": "inner outer inner", process.Under: "inner outer inner", process.Over: "outer outer inner", process.None: "inner  inner",
	} {
		if got := output(t, process.Config{Cmdline: show, Env: env, Inherit: inherit}); got != want {
			t.Errorf("%q: %q, not %q", inherit, got, want)
		}
	}
	if got := output(t, process.Config{Cmdline: "/usr/bin/env", Inherit: process.None, Env: map[string]string{"A": "1"}}); got != "A=1" {
		t.Errorf("%q", got)
	}
}

func TestGA31To34Config(t *testing.T) {
	full := process.Config{
		Name: "web", Cmdline: "httpd -f", Argv: []string{"x y"}, Env: map[string]string{"A": "1"}, Inherit: process.None, User: "www", Group: "33",
		Groups: []process.ID{"adm"}, Dir: "/srv", Umask: "027", Nice: 5, Outputs: []string{"a", "b"}, Input: true, Streams: []string{"c"},
		Limits: map[string]process.Limit{"nofile": {Soft: 10, Hard: 20}, "core": {Hard: process.Unlimited}},
		Grace:  process.Duration(1500 * time.Millisecond), WaitDelay: process.Duration(time.Second),
	}
	text, err := json.Marshal(full)
	if err != nil {
		t.Fatal(err)
	}
	back, err := process.ParseConfig(text)
	if err != nil || !reflect.DeepEqual(full, back) {
		t.Errorf("%s became %+v, %v", text, back, err)
	}
	for _, want := range []string{`"grace":"1.5s"`, `"nofile":"10:20"`, `"core":"0:unlimited"`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s has no %s", text, want)
		}
	}
	got, err := process.ParseConfig([]byte(`{"name": "a", "cmdline": "b", "user": 33, "limits": {"nofile": 5, "core": "unlimited"}, "groups": [1, "adm"]}`))
	if err != nil || got.User != "33" || got.Limits["nofile"] != (process.Limit{Soft: 5, Hard: 5}) || got.Limits["core"].Soft != process.Unlimited ||
		!slices.Equal(got.Groups, []process.ID{"1", "adm"}) {
		t.Errorf("%+v, %v", got, err)
	}
	zero, err := process.ParseConfig([]byte(`{"name": "a", "cmdline": "b"}`)) // GA-32
	if err != nil || !reflect.DeepEqual(zero, process.Config{Name: "a", Cmdline: "b"}) {
		t.Errorf("%+v, %v", zero, err)
	}
	p, err := process.New(got) // GA-34
	if err != nil || p.Name() != "a" || p.Info().Config.User != "33" {
		t.Errorf("%v", err)
	}
	_ = p.Close()
}

func TestGA33Invalid(t *testing.T) {
	for text, field := range map[string]string{
		`{"cmdline": "b"}`:                             "name",
		`{"name": "a"}`:                                "cmdline",
		`{"name": "a", "cmdline": "'"}`:                "cmdline",
		`{"name": "a", "cmdline": "b", "comand": "c"}`: "comand",
		`{"name": "a", "cmdline": "b"} {}`:             "json",
		`[]`:                                           "json",
		``:                                             "json",
		`{"name": "a", "cmdline": "b", "grace": "5"}`:                        "grace",
		`{"name": "a", "cmdline": "b", "grace": 5}`:                          "grace",
		`{"name": "a", "cmdline": "b", "nice": 1e9}`:                         "nice",
		`{"name": "a", "cmdline": "b", "nice": "x"}`:                         "nice",
		`{"name": "a", "cmdline": "b", "user": -1}`:                          "user",
		`{"name": "a", "cmdline": "b", "groups": ["x", 1.5]}`:                "groups",
		`{"name": "a", "cmdline": "b", "umask": 22}`:                         "umask",
		`{"name": "a", "cmdline": "b", "env": ["A=b"]}`:                      "env",
		`{"name": "a", "cmdline": "b", "env": {"A": 1}}`:                     "env",
		`{"name": "a", "cmdline": "b", "env": {"A": "1", "A": "2"}}`:         "env",
		`{"name": "a", "cmdline": "b", "limits": {"core": 0, "nofile": -1}}`: "limits.nofile",
		`{"name": "a", "cmdline": "b", "limits": {"nofile": null}}`:          "limits.nofile",
		`{"name": "a", "cmdline": "b", "user": "nobody", "user": "root"}`:    "json",
		`{"name": "a", "cmdline": "b", "user": "nobody", "USER": "root"}`:    "USER",
		`null`:                            "json",
		`{"name": "a"`:                    "json",
		strings.Repeat(`{"env":`, 20_000): "json",
		`{"name": "` + strings.Repeat("x", 1<<20) + `"}`:                                                    "json",
		`{"name": "` + strings.Repeat("x", 1<<19) + `", "cmdline": "b", "nice": 20}`:                        "nice",
		`{"name": "a", "cmdline": "b", "` + strings.Repeat("x", 80) + strings.Repeat("y", 1<<19) + `": 20}`: strings.Repeat("x", 80) + "…",
		`{"name": "a", "cmdline": "b", "umask": "` + strings.Repeat("9", 1<<19) + `"}`:                      "umask",
		`{"name": "a", "cmdline": "b", "limits": {"nofile": "x"}}`:                                          "limits.nofile",
		`{"name": "a", "cmdline": "b", "limits": {"nofile": "9:5"}}`:                                        "limits.nofile",
		`{"name": "a", "cmdline": "b", "umask": "99"}`:                                                      "umask",
		`{"name": "a", "cmdline": "b", "umask": "1000"}`:                                                    "umask",
		`{"name": "a", "cmdline": "b", "nice": 20}`:                                                         "nice",
		`{"name": "a", "cmdline": "b", "inherit": "all"}`:                                                   "inherit",
		`{"name": "a", "cmdline": "b", "env": {"A=B": ""}}`:                                                 "env",
		`{"name": "a", "cmdline": "b", "env": {"A": "\u0000"}}`:                                             "env.A",
		`{"name": "a", "argv": ["b\u0000"]}`:                                                                "argv",
		`{"name": "a", "cmdline": "b", "outputs": ["x", "y", "z"]}`:                                         "outputs",
		`{"name": "a", "cmdline": "b", "outputs": ["a.b"]}`:                                                 "outputs",
		`{"name": "a", "cmdline": "b", "outputs": ["x"], "streams": ["x"]}`:                                 "streams",
		`{"name": "a", "cmdline": "b", "streams": ["x", "x"]}`:                                              "streams",
		`{"name": "a", "cmdline": "b", "streams": ["stdin"]}`:                                               "streams",
		`{"name": "a", "cmdline": "b", "wait_delay": "-1s"}`:                                                "wait_delay",
		`{"name": "a", "cmdline": "b", "groups": ["adm"]}`:                                                  "groups",
		`{"name": "a", "cmdline": "b", "user": "a:b"}`:                                                      "user",
		`{"name": "a", "cmdline": "b", "detach": true, "input": true}`:                                      "detach",
		`{"name": "a", "cmdline": "b", "shell": true, "program": "/bin/true"}`:                              "program",
	} {
		_, err := process.ParseConfig([]byte(text))
		var wrong *process.ConfigError
		if !errors.As(err, &wrong) || wrong.Field != field || wrong.Why == "" || len(err.Error()) > 500 {
			t.Errorf("%.200s: %.500v", text, err)
		}
	}
}

func TestGA48Signals(t *testing.T) {
	for text, want := range map[string]syscall.Signal{
		"15": syscall.SIGTERM, "TERM": syscall.SIGTERM, "SIGTERM": syscall.SIGTERM, "sigterm": syscall.SIGTERM, "term": syscall.SIGTERM,
		"hup": syscall.SIGHUP, "9": syscall.SIGKILL, "SIGKILL": syscall.SIGKILL, "usr1": syscall.SIGUSR1, "WINCH": syscall.SIGWINCH,
	} {
		if got, err := process.ParseSignal(text); err != nil || got != want {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "0", "-1", "65", "1000", "NONE", "SIG", "SIGSIGTERM", "TERM ", "9x"} {
		if got, err := process.ParseSignal(text); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	if got := process.SignalName(syscall.SIGHUP); got != "SIGHUP" {
		t.Errorf("%q", got)
	}
}

func TestGA49Human(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0B", 1: "1B", 1023: "1023B", 1024: "1K", 2047: "1K", 12<<20 + 5: "12M", 1 << 30: "1G", 3 << 40: "3T", 1 << 50: "1P", 1 << 60: "1E", 1<<63 - 1: "7E",
	} {
		if got := process.Human(n); got != want {
			t.Errorf("%d: %q, not %q", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0:00.00", 1230 * time.Millisecond: "0:01.23", 125*time.Second + 310*time.Millisecond: "2:05.31", 61 * time.Minute: "61:00.00",
	} {
		if got := process.Clock(d); got != want {
			t.Errorf("%s: %q, not %q", d, got, want)
		}
	}
}
