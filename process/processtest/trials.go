package processtest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// trials are what is done both ways. Those that are for here alone need this machine's files, or what os/exec leaves behind.
var trials = []struct {
	name string
	here bool
	try  func(*trial)
}{
	{"arguments", false, arguments},
	{"arguments that cannot be", false, badArguments},
	{"the program's own name", false, ownName},
	{"another path", true, anotherPath},
	{"variables", false, variables},
	{"directories", false, directories},
	{"names", false, names},
	{"names here", true, namesHere},
	{"exits", false, exits},
	{"stdin", false, readers},
	{"outputs", false, writers},
	{"files", true, files},
	{"output calls", false, outputCalls},
	{"pipes", false, pipeOrders},
	{"a pipe that is closed early", false, closedEarly},
	{"much on both", false, much},
	{"calls out of order", false, outOfOrder},
	{"context", false, contexts},
	{"cancel", false, cancels},
	{"wait delay", true, waitDelays},
}

const tell = `for a; do printf '%s\0' "$a"; done`

func (r *trial) output(f fields, words ...string) {
	c := r.new(within(r.t), f, words...)
	out, err := c.Output()
	r.notef("stdout %q, stderr %q", out, r.stderr(err))
	r.wrong("output", err)
	r.ended(c)
}

func arguments(r *trial) {
	all := make([]byte, 0, 255)
	for b := 1; b < 256; b++ {
		all = append(all, byte(b))
	}
	r.output(fields{}, "sh", "-c", tell, "sh", string(all), "", "-n", "--", " ", "a\nb", "$HOME", "`id`", "*", "é", "\xff\xfe")
	r.output(fields{}, "sh", "-c", tell, "sh", strings.Repeat("x", 100_000))
	r.output(fields{}, slices.Concat([]string{"sh", "-c", "echo $#", "sh"}, slices.Repeat([]string{"x"}, 3000))...)
}

func badArguments(r *trial) {
	for _, arg := range []string{strings.Repeat("x", 200_000), "a\x00b"} {
		c := r.new(within(r.t), fields{}, "true", arg)
		r.wrong("run", c.Run())
		r.ended(c)
	}
	c := r.new(within(r.t), fields{}, append([]string{"true"}, slices.Repeat([]string{strings.Repeat("x", 100_000)}, 40)...)...)
	r.wrong("run", c.Run())
}

func ownName(r *trial) {
	r.output(fields{Args: []string{"my name", "-c", "echo $0"}}, "sh")
	r.output(fields{Args: []string{"", "-c", "echo x$0"}}, "sh")
	r.output(fields{Args: []string{}}, "true")
}

// anotherPath: why the first one was not found is kept. Elsewhere it is not looked for at once.
func anotherPath(r *trial) {
	r.output(fields{Path: "/bin/sh"}, "prog-that-is-not-there", "-c", "echo $0")
}

func variables(r *trial) {
	for _, env := range [][]string{
		{}, {"A=1", "B=", "A=2", "C=a=b", "D=a\nb", "E=\xff"}, {"A=1", "", "B=2"}, {"PATH=/nowhere", "X=y"},
		{"A=" + strings.Repeat("x", 100_000)},
	} {
		c := r.new(within(r.t), fields{Env: env}, "env")
		out, err := c.Output()
		lines := strings.Split(string(out), "\n")
		slices.Sort(lines)
		r.notef("%q", lines)
		r.wrong("output", err)
	}
	for _, env := range [][]string{{"A=a\x00b"}, {"A\x00=b"}, {"A=" + strings.Repeat("x", 200_000)}} {
		c := r.new(within(r.t), fields{Env: env}, "true")
		r.wrong("run", c.Run())
		r.ended(c)
	}
}

func directories(r *trial) {
	r.output(fields{Dir: "/usr/../usr/bin/."}, "pwd")
	r.output(fields{Dir: "/usr"}, "sh", "-c", "echo $PWD")
	for _, dir := range []string{"/does/not/exist", "/etc/passwd", "/" + strings.Repeat("x/", 3000)} {
		c := r.new(within(r.t), fields{Dir: dir}, "true")
		r.wrong("run", c.Run())
		r.ended(c)
	}
}

func names(r *trial) {
	for _, name := range []string{"", ".", "..", "/usr", "./prog", "../prog", "prog-that-is-not-there", "/etc/passwd", "a\nb", strings.Repeat("x", 5000)} {
		c := r.new(within(r.t), fields{}, name)
		r.wrong("run "+name[:min(len(name), 30)], c.Run())
		r.ended(c)
	}
}

func namesHere(r *trial) {
	dir := r.t.TempDir()
	for name, text := range map[string]string{"prog": "#!/bin/sh\necho here\n", "text": "echo no line\n", "gone": "#!/does/not/exist\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "plain"), nil, 0o644); err != nil {
		r.t.Fatal(err)
	}
	r.t.Chdir(dir)
	for _, path := range []string{dir, ".", "", "./", dir + ":/bin", "/bin:."} {
		r.t.Setenv("PATH", path)
		for _, name := range []string{"prog", "text", "gone", "plain", "./prog"} {
			r.output(fields{}, name)
		}
	}
	r.t.Setenv("PATH", "/bin:/usr/bin")
	r.output(fields{Dir: "/usr"}, "./prog")
	r.output(fields{Dir: dir}, "./prog")
	r.output(fields{Dir: ".."}, "pwd")
	r.output(fields{Path: "prog"}, "true") // a path, and not looked for
	r.output(fields{Path: "true"}, "true")
	r.output(fields{}, "/")
}

func exits(r *trial) {
	for _, code := range []string{"0", "1", "2", "126", "127", "255", "256"} {
		r.output(fields{}, "sh", "-c", "echo out; echo err >&2; exit "+code)
	}
	for _, sig := range []string{"HUP", "INT", "PIPE", "ALRM", "TERM", "KILL", "USR1", "34", "64"} {
		r.output(fields{}, "sh", "-c", "echo out; kill -"+sig+" $$; sleep 1000")
	}
	for _, sig := range []string{"ABRT", "SEGV", "QUIT"} {
		r.output(fields{}, "sh", "-c", "ulimit -c 0; kill -"+sig+" $$; sleep 1000")
	}
	c := r.new(within(r.t), fields{}, "sleep", "1000")
	r.wrong("start", c.Start())
	r.wrong("signal", r.signal(c, syscall.SIGUSR2))
	r.wrong("wait", c.Wait())
	r.ended(c)
	r.notef("done %t", errors.Is(r.signal(c, syscall.SIGTERM), os.ErrProcessDone))
}

// endless never ends, and slow is in no hurry.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("e"), len(p))), nil }

type slow struct{ left int }

func (s *slow) Read(p []byte) (int, error) {
	if s.left == 0 {
		return 0, io.EOF
	}
	s.left--
	time.Sleep(time.Millisecond)
	return copy(p, "s"), nil
}

func readers(r *trial) {
	for _, program := range []string{"cat", "read a; echo $a", "exec <&-; echo closed", ":", "cat; exit 3", "kill -9 $$"} {
		for _, make := range []func() io.Reader{
			func() io.Reader { return nil },
			func() io.Reader { return strings.NewReader("") },
			func() io.Reader { return strings.NewReader("one\ntwo\n") },
			func() io.Reader { return &slow{20} },
			func() io.Reader { return &broken{} },
			func() io.Reader { return &broken{5} },
		} {
			in := make()
			if _, bad := in.(*broken); bad && !strings.HasPrefix(program, "cat") {
				continue // whether it was read before the end is chance
			}
			r.output(fields{Stdin: in}, "sh", "-c", program)
		}
	}
	for _, in := range []io.Reader{endless{}, strings.NewReader(strings.Repeat("x", 5<<20))} {
		r.output(fields{Stdin: in}, "head", "-c", "10")
		r.output(fields{Stdin: in}, "true")
	}
}

func writers(r *trial) {
	for _, program := range []string{"echo o; echo e >&2; echo o", "exit 3", "echo o; exec >&- 2>&-"} {
		for _, which := range []string{"both", "one", "none", "stderr"} {
			var out, errs bytes.Buffer
			f := map[string]fields{
				"both": {Stdout: &out, Stderr: &errs}, "one": {Stdout: &out, Stderr: &out}, "none": {}, "stderr": {Stderr: &errs},
			}[which]
			c := r.new(within(r.t), f, "sh", "-c", program)
			err := c.Run()
			r.notef("%s: %q, %q", which, &out, &errs)
			r.wrong("run", err)
			r.ended(c)
		}
	}
	for _, program := range []string{"echo 12345678", "echo 12345678; exit 3"} {
		c := r.new(within(r.t), fields{Stdout: &broken{3}}, "sh", "-c", program)
		r.wrong("run", c.Run())
		r.ended(c)
	}
	c := r.new(within(r.t), fields{Stderr: &broken{3}}, "sh", "-c", "while echo xxxxxxxxxxxxxxxxx >&2; do :; done")
	r.notef("it failed: %t", c.Run() != nil)
}

func files(r *trial) {
	name := filepath.Join(r.t.TempDir(), "file")
	f, err := os.Create(name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer f.Close()
	c := r.new(within(r.t), fields{Stdout: f, Stderr: f}, "sh", "-c", "echo o; echo e >&2; echo o")
	r.wrong("run", c.Run())
	text, err := os.ReadFile(name)
	r.notef("%q, %v", text, err)
	in, err := os.Open(name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer in.Close()
	r.output(fields{Stdin: in}, "cat")
	back, err := os.Open(name)
	if err != nil {
		r.t.Fatal(err)
	}
	defer back.Close()
	r.output(fields{ExtraFiles: []*os.File{back, nil, f}}, "sh", "-c", "cat <&3; cat <&4; echo more >&5; ls /proc/self/fd | wc -l")
	text, err = os.ReadFile(name)
	r.notef("%q, %v", text, err)
}

func outputCalls(r *trial) {
	for _, f := range []fields{{Stdout: io.Discard}, {Stderr: io.Discard}, {Stdout: io.Discard, Stderr: io.Discard}} {
		c := r.new(within(r.t), f, "sh", "-c", "echo o; echo e >&2; exit 2")
		out, err := c.Output()
		r.notef("%q, %q", out, r.stderr(err))
		r.wrong("output", err)
		r.ended(c)
		c = r.new(within(r.t), f, "sh", "-c", "echo o; echo e >&2; exit 2")
		out, err = c.CombinedOutput()
		r.notef("%q, %q", out, r.stderr(err))
		r.wrong("combined output", err)
		r.ended(c)
	}
	for _, n := range []int{10, 32 << 10, 32<<10 + 1, 64 << 10, 64<<10 + 1, 300_000} {
		c := r.new(within(r.t), fields{}, "sh", "-c", fmt.Sprintf("yes 0123456789 | head -c %d >&2; exit 1", n))
		_, err := c.Output()
		r.notef("%d: %d bytes, %x", n, len(r.stderr(err)), sha256.Sum256(r.stderr(err)))
	}
}

func pipeOrders(r *trial) {
	c := r.new(within(r.t), fields{}, "sh", "-c", "cat; echo e >&2; exit 4")
	in, err1 := c.StdinPipe()
	out, err2 := c.StdoutPipe()
	errs, err3 := c.StderrPipe()
	r.wrong("pipes", errors.Join(err1, err2, err3))
	for _, again := range []func() error{
		func() error { _, err := c.StdinPipe(); return err },
		func() error { _, err := c.StdoutPipe(); return err },
		func() error { _, err := c.StderrPipe(); return err },
		func() error { _, err := c.Output(); return err },
	} {
		r.wrong("again", again())
	}
	if err := c.Start(); err != nil {
		r.t.Fatal(err)
	}
	_, err := io.WriteString(in, strings.Repeat("to and fro\n", 10))
	r.wrong("write", err)
	r.wrong("close", in.Close())
	_, err = io.WriteString(in, "x")
	r.wrong("write after close", err)
	text, err := io.ReadAll(out)
	r.notef("%q, %v", text, err)
	text, err = io.ReadAll(errs)
	r.notef("%q, %v", text, err)
	r.wrong("wait", c.Wait())
	r.ended(c)
	_, err = out.Read(make([]byte, 1))
	r.wrong("read after wait", err)
	r.wrong("close after wait", in.Close())

	c = r.new(within(r.t), fields{}, "prog-that-is-not-there")
	in, err1 = c.StdinPipe()
	out, err2 = c.StdoutPipe()
	r.wrong("pipes", errors.Join(err1, err2))
	r.wrong("start", c.Start())
	_, err = io.WriteString(in, "x")
	r.wrong("write", err)
	_, err = out.Read(make([]byte, 1))
	r.wrong("read", err)
}

func closedEarly(r *trial) {
	c := r.new(within(r.t), fields{}, "yes")
	out, err := c.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.wrong("start", c.Start())
	buf := make([]byte, 8)
	_, err = io.ReadFull(out, buf)
	r.notef("%q, %v", buf, err)
	r.wrong("close", out.Close())
	r.notef("it failed: %t", c.Wait() != nil)
	s := r.end(c)
	r.notef("well: %t", s != nil && s.Success())

	c = r.new(within(r.t), fields{}, "true")
	in, err := c.StdinPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.wrong("start", c.Start())
	for err == nil { // nobody reads
		_, err = in.Write(make([]byte, 1<<16))
	}
	r.notef("broken pipe: %t", errors.Is(err, syscall.EPIPE))
	r.wrong("wait", c.Wait())
}

func much(r *trial) {
	const script = "head -c 3000000 /dev/zero | tr '\\0' o & head -c 2000000 /dev/zero | tr '\\0' e >&2; wait; exit 9"
	var out, errs bytes.Buffer
	c := r.new(within(r.t), fields{Stdout: &out, Stderr: &errs}, "sh", "-c", script)
	r.wrong("run", c.Run())
	r.notef("%x, %x", sha256.Sum256(out.Bytes()), sha256.Sum256(errs.Bytes()))
	c = r.new(within(r.t), fields{}, "sh", "-c", script)
	all, err := c.CombinedOutput()
	r.wrong("run", err)
	r.notef("%d, %d", bytes.Count(all, []byte("o")), bytes.Count(all, []byte("e")))
	c = r.new(within(r.t), fields{Stdin: bytes.NewReader(make([]byte, 1<<20))}, "sh", "-c", "exec <&-; head -c 500000 /dev/zero")
	all, err = c.Output()
	r.wrong("run", err)
	r.notef("%d", len(all))
}

func outOfOrder(r *trial) {
	c := r.new(within(r.t), fields{}, "true")
	r.wrong("wait before start", c.Wait())
	r.wrong("start", c.Start())
	r.wrong("start again", c.Start())
	r.wrong("run", c.Run())
	for _, pipe := range []func() error{
		func() error { _, err := c.StdinPipe(); return err },
		func() error { _, err := c.StdoutPipe(); return err },
		func() error { _, err := c.StderrPipe(); return err },
	} {
		r.wrong("pipe", pipe())
	}
	r.wrong("wait", c.Wait())
	r.wrong("wait again", c.Wait())
	r.wrong("start after the end", c.Start())
	r.ended(c)
	c = r.new(within(r.t), fields{}, "/does/not/exist")
	r.wrong("start", c.Start())
	r.wrong("start again", c.Start())
	r.wrong("wait", c.Wait())
	_, err := c.StdoutPipe()
	r.wrong("pipe", err)
}

func contexts(r *trial) {
	over, cancel := context.WithCancel(context.Background())
	cancel()
	c := r.new(over, fields{}, "true")
	r.wrong("cancelled before", c.Run())
	r.ended(c)
	c = r.new(over, fields{}, "prog-that-is-not-there")
	r.notef("cancelled before, and not there: %t", c.Run() != nil)

	for _, when := range []string{"while it runs", "after its end"} {
		ctx, cancel := context.WithCancel(context.Background())
		words := []string{"sleep", "1000"}
		if when == "after its end" {
			words = []string{"sh", "-c", "echo end"}
		}
		c := r.new(ctx, fields{}, words...)
		out, err := c.StdoutPipe()
		if err != nil {
			r.t.Fatal(err)
		}
		r.wrong("start", c.Start())
		if when == "after its end" {
			text, err := io.ReadAll(out)
			r.notef("%q, %v", text, err)
			r.wrong("wait", c.Wait())
			cancel()
		} else {
			cancel()
			r.wrong("wait", c.Wait())
		}
		r.ended(c)
	}
	late, cancel := context.WithTimeout(context.Background(), 30*time.Millisecond)
	defer cancel()
	c = r.new(late, fields{}, "sleep", "1000")
	err := c.Run()
	r.notef("it failed: %t", err != nil) // before the start, or after
}

func cancels(r *trial) {
	for _, script := range []string{"trap 'exit 0' TERM", "trap 'exit 7' TERM", "trap - TERM"} {
		for _, answer := range []error{nil, os.ErrProcessDone, errBroken} {
			ctx, cancel := context.WithCancel(context.Background())
			var c command
			f := fields{WaitDelay: Patience, Cancel: func() error {
				if err := r.signal(c, syscall.SIGTERM); err != nil {
					return err
				}
				return answer
			}}
			c = r.new(ctx, f, "sh", "-c", script+"; echo ready; while :; do sleep 0.01; done")
			out, err := c.StdoutPipe()
			if err != nil {
				r.t.Fatal(err)
			}
			r.wrong("start", c.Start())
			ready := make([]byte, 6)
			_, err = io.ReadFull(out, ready)
			r.notef("%q, %v", ready, err)
			cancel()
			r.wrong(fmt.Sprintf("%s, %v", script, answer), c.Wait())
			r.ended(c)
		}
	}
	c := r.new(within(r.t), fields{Cancel: func() error { panic("nobody cancels") }}, "true")
	r.wrong("not cancelled", c.Run())
}

func waitDelays(r *trial) {
	for _, code := range []string{"0", "5"} {
		var out bytes.Buffer
		c := r.new(context.Background(), fields{Stdout: &out, WaitDelay: 100 * time.Millisecond}, "sh", "-c", "sleep 5 & echo early; exit "+code)
		r.wrong("held output", c.Run())
		r.notef("%q", &out)
		r.ended(c)

		never, w := io.Pipe()
		c = r.new(context.Background(), fields{Stdin: never, Stdout: &out, WaitDelay: 100 * time.Millisecond}, "sh", "-c", "exit "+code)
		time.AfterFunc(time.Second, func() { w.Close() }) // os/exec waits for it
		r.wrong("a reader that hangs", c.Run())
		w.Close()
		r.ended(c)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := r.new(ctx, fields{WaitDelay: 50 * time.Millisecond, Cancel: func() error { return nil }}, "sh", "-c", "trap '' TERM INT; echo ready; exec sleep 1000")
	out, err := c.StdoutPipe()
	if err != nil {
		r.t.Fatal(err)
	}
	r.wrong("start", c.Start())
	_, _ = io.ReadFull(out, make([]byte, 6))
	cancel()
	r.wrong("one that stays", c.Wait())
	r.ended(c)
}
