package process_test

import (
	"errors"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

func TestGA09Outputs(t *testing.T) {
	script := "echo out; echo err >&2"
	for _, c := range []struct {
		labels []string
		want   map[string]string
	}{
		{nil, map[string]string{}},
		{[]string{"a"}, map[string]string{"a": "out\n"}},
		{[]string{"a", "b"}, map[string]string{"a": "out\n", "b": "err\n"}},
		{[]string{"a", "a"}, map[string]string{"a": "out\nerr\n"}},
	} {
		c2 := sh(script)
		c2.Outputs = c.labels
		p := prepare(t, c2)
		got := map[string]string{}
		if _, err := p.OnOutput(".", func(e process.Event) { got[e.Label] += string(e.Data) }); err != nil {
			t.Fatal(err)
		}
		start(t, p)
		wait(t, p)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		for _, label := range []string{"a", "b"} {
			if got[label] != c.want[label] {
				t.Errorf("%q: %q", c.labels, got)
			}
		}
	}
	if got := output(t, sh("readlink /proc/self/fd/0")); got != os.DevNull {
		t.Errorf("stdin is %q", got)
	}
	// Who has one output has the other one nowhere.
	x := newText()
	wait(t, started(t, sh("readlink /proc/self/fd/2"), process.Stdio{Stdout: x}))
	if got := strings.TrimSpace(x.String()); got != os.DevNull {
		t.Errorf("stderr is %q", got)
	}
}

func TestGA10And11OnOutput(t *testing.T) {
	c := sh("read a; echo 1 $a; read a; echo 2 $a")
	c.Outputs, c.Input = []string{"out"}, true
	p := prepare(t, c)
	all, one, other := newText(), newText(), newText()
	cancel, err := p.OnOutput("out", one.hear)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.OnOutput(".", all.hear); err != nil {
		t.Fatal(err)
	}
	if _, err := p.OnOutput("err", other.hear); err == nil || !strings.Contains(err.Error(), `"err"`) {
		t.Errorf("a label that is none: %v", err)
	}
	start(t, p)
	in, err := p.Stdin()
	if err != nil {
		t.Fatal(err)
	}
	if err := in.WriteLines("x"); err != nil {
		t.Fatal(err)
	}
	all.until(t, "1 x\n")
	cancel()
	cancel() // no matter
	if err := in.WriteLines("y"); err != nil {
		t.Fatal(err)
	}
	wait(t, p)
	all.until(t, "2 y\n")
	if one.String() != "1 x\n" {
		t.Errorf("%q", one)
	}
}

func TestGA12And36Stdin(t *testing.T) {
	c := process.Config{Cmdline: "cat", Input: true}
	x := newText()
	p := prepare(t, c, process.Stdio{Stdout: x})
	if in, err := p.Stdin(); err != nil {
		t.Error(err)
	} else if _, err := in.Write([]byte("x")); !errors.Is(err, process.ErrNotStarted) {
		t.Errorf("before the start: %v", err)
	}
	start(t, p)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			in, err := p.Stdin()
			for n := 0; n < 200 && err == nil; n++ {
				err = in.WriteLines(strings.Repeat(strconv.Itoa(i), 50), strings.Repeat(strconv.Itoa(i), 70))
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	writers.Wait()
	in, err := p.Stdin()
	if err == nil {
		err = in.Close()
	}
	if err != nil {
		t.Error(err)
	}
	wait(t, p)
	lines := strings.Split(strings.TrimSuffix(x.String(), "\n"), "\n")
	if len(lines) != 3200 {
		t.Fatalf("%d lines", len(lines))
	}
	for i := 0; i < len(lines); i += 2 {
		if len(lines[i]) != 50 || len(lines[i+1]) != 70 || strings.Trim(lines[i]+lines[i+1], lines[i][:1]) != "" {
			t.Fatalf("mixed: %q", lines[i:i+2])
		}
	}
	if _, err := in.Write([]byte("x")); !errors.Is(err, process.ErrDone) {
		t.Errorf("after the end: %v", err)
	}
	closed := prepare(t, process.Config{Cmdline: "cat"})
	if _, err := closed.Stdin(); err == nil || !strings.Contains(err.Error(), "set input") {
		t.Errorf("%v", err)
	}
}

func TestGA13And37And43Streams(t *testing.T) {
	c := sh(`read a <&3; echo "three: $a" >&3; read b <&4; echo "four: $b" >&4; cat <&3 >&4`)
	c.Streams = []string{"s3", "s4"}
	p := prepare(t, c)
	x := map[string]*text{"s3": newText(), "s4": newText()}
	for label, x := range x {
		if _, err := p.OnOutput(label, x.hear); err != nil {
			t.Fatal(err)
		}
	}
	start(t, p)
	for i, label := range c.Streams {
		s, err := p.Stream(label)
		if err != nil || s.ID() != 3+i || s.Label() != label {
			t.Fatalf("%s: %d, %v", label, s.ID(), err)
		}
		if err := s.WriteLines("hello " + label); err != nil {
			t.Fatal(err)
		}
	}
	x["s3"].until(t, "three: hello s3\n")
	x["s4"].until(t, "four: hello s4\n")
	s, err := p.Stream("s3")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Write([]byte("to the end")); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if s := wait(t, p); !s.Success() {
		t.Errorf("%s", &s)
	}
	x["s4"].until(t, "to the end")
	if _, err := p.Stream("s5"); err == nil {
		t.Error("a stream that is none")
	}
}

func TestGA14ExtraFiles(t *testing.T) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "mine"), os.NewFile(uintptr(fds[1]), "theirs")
	defer mine.Close()
	c := sh(`read a <&4; echo "got $a" >&4; echo stream >&3; [ -e /proc/self/fd/5 ] || echo closed >&6`)
	c.Streams = []string{"s"}
	p := prepare(t, c, process.Stdio{Files: []*os.File{theirs, nil, theirs}})
	x := newText()
	if _, err := p.OnOutput("s", x.hear); err != nil {
		t.Fatal(err)
	}
	start(t, p)
	theirs.Close()
	if _, err := io.WriteString(mine, "hello\n"); err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(mine)
	if err != nil || string(all) != "got hello\nclosed\n" {
		t.Errorf("%q, %v", all, err)
	}
	wait(t, p)
	x.until(t, "stream\n")
	_, err = process.Start(process.Config{Cmdline: "true"}, process.Stdio{Files: []*os.File{theirs}})
	var wrong *process.ConfigError
	if !errors.As(err, &wrong) || wrong.Field != "files" || !strings.Contains(err.Error(), "closed") {
		t.Errorf("a closed file: %v", err)
	}
}

func TestGA28ExitIsTheLastEvent(t *testing.T) {
	for script, want := range map[string]process.State{
		"echo x; exit 3":          {Code: 3},
		"echo x; kill -KILL $$":   {Code: -1, Signal: "SIGKILL"},
		"echo x; kill -USR1 $$":   {Code: -1, Signal: "SIGUSR1"},
		"(sleep 0.2; echo x) & :": {},
	} {
		c := sh(script)
		c.Outputs = []string{"out"}
		p := prepare(t, c)
		var topics []string
		var state process.State
		p.Subscribe(".", func(e process.Event) {
			topics = append(topics, e.Topic)
			if e.Topic == process.TopicExit {
				state = *e.State
			}
		})
		start(t, p)
		wait(t, p)
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if !slices.Equal(topics, []string{"start", "output.out", "exit"}) {
			t.Errorf("%q: %q", script, topics)
		}
		if state.Code != want.Code || state.Signal != want.Signal || state.PID != p.PID() {
			t.Errorf("%q: %+v", script, state)
		}
	}
}

// What keeps an output open after the process has ended is waited for, but for no longer than WaitDelay.
func TestGA35OutputsAreWaitedFor(t *testing.T) {
	c := sh("(sleep 0.3; echo late) & echo early")
	x := newText()
	wait(t, started(t, c, process.Stdio{Stdout: x}))
	if x.String() != "early\nlate\n" {
		t.Errorf("%q", x)
	}
	c = sh("sleep 1000 & echo $!")
	c.WaitDelay = process.Duration(50 * time.Millisecond)
	x = newText()
	p := started(t, c, process.Stdio{Stdout: x})
	s, err := p.Wait(within(t))
	if err == nil || !strings.Contains(err.Error(), "WaitDelay") || !s.Success() {
		t.Errorf("%s, %v", &s, err)
	}
	child, err := strconv.Atoi(strings.TrimSpace(x.String()))
	if err == nil {
		err = syscall.Kill(child, syscall.SIGKILL)
	}
	if err != nil {
		t.Error(err)
	}
}
