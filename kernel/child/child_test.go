//go:build linux

package child

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/trampoline"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

func TestMain(m *testing.M) {
	if trampoline.Asked(os.Args) {
		trampoline.Main(os.Args)
	}
	_ = unix.CloseRange(3, 1<<31, unix.CLOSE_RANGE_CLOEXEC) // what this process was given must not get to children
	os.Exit(m.Run())
}

// settled waits until nothing more can come from any process.
func (t *Table) settled(tb testing.TB) {
	tb.Helper()
	for _, p := range t.all() {
		eventually(tb, "it is closed", func() bool { p.mu.Lock(); defer p.mu.Unlock(); return p.closed() })
	}
}

func eventually(t testing.TB, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(60 * time.Second); !f(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// open opens a table that ends with the test, and looks that nothing stays.
func open(t *testing.T) *Table { return openIn(t, t.TempDir()) }

func openIn(t *testing.T, dir string) *Table {
	t.Helper()
	before := goleak.IgnoreCurrent()
	table, err := Open(filepath.Join(dir, "processes"), nil, holder.Past{}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, p := range table.all() {
			_ = p.signal(unix.SIGKILL)
			<-p.ended
		}
		table.Close()
		goleak.VerifyNone(t, before)
	})
	return table
}

func short(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func sh(name, script string) Spec {
	return Spec{Name: name, Args: []string{"/bin/sh", "-c", script}, Bufsize: DefaultBufsize}
}

func (t *Table) run(spec Spec) (Info, error) {
	return t.Make(spec, func() (Start, func(), error) { return Start{Args: spec.Args}, func() {}, nil })
}

func (t *Table) must(tb testing.TB, spec Spec) Info {
	tb.Helper()
	i, err := t.run(spec)
	if err != nil {
		tb.Fatal(err)
	}
	return i
}

func patterns(t testing.TB, texts ...string) []name.Pattern {
	t.Helper()
	list, err := name.ParseAll("process", texts)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func (t *Table) watch(tb testing.TB, consumer string, names ...string) *Watch {
	tb.Helper()
	w, err := t.Watch(0, patterns(tb, names...), consumer, false)
	if err != nil {
		tb.Fatal(err)
	}
	return w
}

// A result is all that a watch has told of a process.
type result struct {
	out, err bytes.Buffer
	lost     uint64
	closed   int
	code     int
	known    bool
}

func (r *result) add(e Event) {
	switch e.Kind {
	case Out:
		r.out.Write(e.Data)
	case Err:
		r.err.Write(e.Data)
	case Lost:
		r.lost += e.Count
	case Closed:
		r.closed++
		r.code, r.known = e.Code, e.Known
	}
}

// drainAll reads a watch to its end.
func drainAll(t *testing.T, w *Watch) map[string]*result {
	t.Helper()
	all := map[string]*result{}
	for {
		events, err := w.Next(short(t))
		if errors.Is(err, io.EOF) {
			w.Close()
			return all
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range events {
			if all[e.Name] == nil {
				all[e.Name] = &result{}
			}
			all[e.Name].add(e)
		}
		if err := w.Acknowledge(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestRun(t *testing.T) {
	table := open(t)
	i := table.must(t, sh("a", "echo out; echo err >&2; exit 7"))
	if i.PID <= 0 || i.Started.IsZero() {
		t.Errorf("%+v", i)
	}
	got := drainAll(t, table.watch(t, "", "a"))["a"]
	if got.out.String() != "out\n" || got.err.String() != "err\n" || got.code != 7 || !got.known || got.closed != 1 {
		t.Errorf("%+v", got)
	}
	if n := table.Count(); n != 0 {
		t.Errorf("%d processes are left when everything has been taken", n)
	}
	if left, err := table.dir.names(); err != nil || !slices.Equal(left, []string{"0-a" + extRecord}) {
		t.Errorf("left in the directory: %q, %v", left, err)
	}
}

func TestPA65Signals(t *testing.T) {
	table := open(t)
	table.must(t, sh("a", "kill -9 $$"))
	if got := drainAll(t, table.watch(t, "", "a"))["a"]; got.code != -9 || !got.known {
		t.Errorf("%+v: want minus the number of the signal", got)
	}
}

func TestPA41PA47Surroundings(t *testing.T) {
	table := open(t)
	table.must(t, sh("a", `env | grep -v -e ^PWD= -e ^_= -e ^SHLVL= -e ^OLDPWD=; echo "$(ls -l /proc/self/fd/0 | sed 's/.* //')"; set -- $(/bin/cat /proc/$$/stat); echo $1 $6; /bin/cat && echo nothing`))
	got := drainAll(t, table.watch(t, "", "a"))["a"]
	lines := strings.Split(got.out.String(), "\n")
	var pid, session int
	if len(lines) < 3 || lines[0] != "/dev/null" {
		t.Fatalf("%q: no variables and /dev/null as stdin were to be expected", got.out.String())
	}
	if _, err := fmt.Sscan(lines[1], &pid, &session); err != nil || pid != session {
		t.Errorf("%q: process and session, want the same", lines[1])
	}
	if lines[2] != "nothing" {
		t.Errorf("%q: stdin was to be readable, and empty", lines[2])
	}
}

func TestPA50NothingIsInherited(t *testing.T) {
	table := open(t)
	table.must(t, Spec{Name: "a", Args: []string{"/bin/ls", "/proc/self/fd"}, Bufsize: DefaultBufsize})
	if got := drainAll(t, table.watch(t, "", "a"))["a"]; got.out.String() != "0\n1\n2\n3\n" { // 3 is the directory that it lists
		t.Errorf("descriptors %q, want 0 1 2 and its own", got.out.String())
	}
}

func TestPA44Limits(t *testing.T) {
	table := open(t)
	s := sh("a", "ulimit -n; ulimit -Hn")
	s.Limits = map[string]uint64{"nofile": 77}
	table.must(t, s)
	if got := drainAll(t, table.watch(t, "", "a"))["a"]; got.out.String() != "77\n77\n" {
		t.Errorf("%q", got.out.String())
	}
}

func TestPA45Streams(t *testing.T) {
	table := open(t)
	for _, c := range []struct{ out, err, wantOut, wantErr string }{
		{Pipe, Pipe, "o\n", "e\n"},
		{Pipe, Merged, "o\ne\n", ""},
		{Pipe, Discard, "o\n", ""},
		{Discard, Pipe, "", "e\n"},
		{Discard, Discard, "", ""},
		{Discard, Merged, "", ""},
	} {
		s := sh("a", "echo o; echo e >&2")
		s.Stdout, s.Stderr = c.out, c.err
		table.must(t, s)
		if got := drainAll(t, table.watch(t, "", "a"))["a"]; got.out.String() != c.wantOut || got.err.String() != c.wantErr {
			t.Errorf("stdout=%s stderr=%s: %q and %q", c.out, c.err, got.out.String(), got.err.String())
		}
	}
	s := sh("b", "")
	s.Stdout = Merged
	if _, err := table.run(s); !errors.Is(err, kernel.ErrUsage) {
		t.Errorf("stdout=STDOUT: %v", err)
	}
}

func TestPA46Bufsize(t *testing.T) {
	for text, want := range map[string]int64{"0": 0, "17": 17, "3k": 3 << 10, "2M": 2 << 20, "1g": 1 << 30} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	for _, text := range []string{"", "k", "-1", "+1", "1kk", "99999G", "9223372036854775808", "1 k", "18446744073709551616g"} {
		if got, err := ParseSize(text); !errors.Is(err, kernel.ErrUsage) {
			t.Errorf("%q: %d, %v", text, got, err)
		}
	}
	table := open(t)
	const lines = 20000
	script := fmt.Sprintf("i=0; while [ $i -lt %d ]; do echo $i; i=$((i+1)); done", lines)
	var whole strings.Builder
	for i := range lines {
		fmt.Fprintln(&whole, i)
	}
	s := sh("small", script)
	s.Bufsize = 10000
	table.must(t, s)
	table.settled(t)
	got := drainAll(t, table.watch(t, "", "small"))["small"]
	if !strings.HasSuffix(whole.String(), got.out.String()) || int(got.lost)+got.out.Len() != whole.Len() || got.out.Len() == 0 {
		t.Errorf("%d bytes, %d lost, of %d; or they are not the last ones", got.out.Len(), got.lost, whole.Len())
	}
	if got.out.Len() > 10000+mostAtOnce {
		t.Errorf("%d bytes were kept of 10000", got.out.Len())
	}
	s = sh("none", "echo something; exit 3")
	s.Bufsize = 0
	table.must(t, s)
	if got := drainAll(t, table.watch(t, "", "none"))["none"]; got.out.Len() != 0 || got.code != 3 {
		t.Errorf("bufsize=0: %+v", got)
	}
}

func TestPA46OneChunkStaysWhole(t *testing.T) {
	table := open(t)
	s := sh("a", "printf 12345; read x; printf 'abcdefghijklmnop'")
	s.Bufsize, s.Stdin = 4, Pipe
	table.must(t, s)
	w := table.watch(t, "", "a")
	first, err := w.Next(short(t))
	if err != nil || string(first[0].Data) != "12345" {
		t.Fatalf("%v %v", first, err)
	}
	if err := table.Send(t.Context(), 0, patterns(t, "a")[0], []byte("\n"), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	table.settled(t)
	got := drainAll(t, w)["a"]
	if got.out.String() != "abcdefghijklmnop" || got.lost != 5 {
		t.Errorf("%q, %d lost; the last piece stays whole, the one before goes", got.out.String(), got.lost)
	}
}

func TestBlock(t *testing.T) {
	table := open(t)
	s := sh("a", "head -c 3000000 /dev/zero; echo end")
	s.Bufsize, s.Overflow = 100000, Block
	table.must(t, s)
	got := drainAll(t, table.watch(t, "", "a"))["a"]
	if got.out.Len() != 3000004 || got.lost != 0 {
		t.Errorf("%d bytes, %d lost", got.out.Len(), got.lost)
	}
}

func TestPA48Same(t *testing.T) {
	table := open(t)
	one := table.must(t, sh("a", "read x"+"; sleep 100"))
	two := table.must(t, sh("a", "read x"+"; sleep 100"))
	if one.PID != two.PID {
		t.Errorf("processes %d and %d", one.PID, two.PID)
	}
	if _, err := table.run(sh("a", "true")); !errors.Is(err, kernel.ErrExists) || !strings.Contains(err.Error(), fmt.Sprint(one.PID)) {
		t.Errorf("%v: it should say what has the name", err)
	}
}

func TestPA49Errors(t *testing.T) {
	table := open(t)
	for _, c := range []struct {
		change func(*Spec)
		want   string
		is     error
	}{
		{func(s *Spec) { s.Args = nil }, "No command", kernel.ErrUsage},
		{func(s *Spec) { s.Args = []string{"/no/such"} }, "Bad command - /no/such", kernel.ErrFailed},
		{func(s *Spec) { s.Args = []string{"nosuchprogram"} }, "Bad command - nosuchprogram", kernel.ErrFailed},
		{func(s *Spec) { s.Args = []string{"/etc/passwd"} }, "Bad command - /etc/passwd", kernel.ErrFailed},
		{func(s *Spec) { s.Args, s.Limits = []string{"/no/such"}, map[string]uint64{"core": 0} }, "Bad command - /no/such", kernel.ErrFailed},
		{func(s *Spec) { s.Name = "" }, "Process requires a name", kernel.ErrUsage},
		{func(s *Spec) { s.Name = "a/b" }, "must be one of", kernel.ErrUsage},
		{func(s *Spec) { s.Name = ".a" }, "must not begin with a dot", kernel.ErrUsage},
		{func(s *Spec) { s.Dir = "/no/such" }, "Bad working_dir", kernel.ErrFailed},
		{func(s *Spec) { s.Dir = "/etc/passwd" }, "Bad working_dir", kernel.ErrFailed},
		{func(s *Spec) { s.Limits = map[string]uint64{"beer": 1} }, "Unknown rlimit beer", kernel.ErrUsage},
		{func(s *Spec) { s.Env = []string{"a"} }, "NAME=value", kernel.ErrUsage},
		{func(s *Spec) { s.Env = []string{"a=1", "a=2"} }, "once", kernel.ErrUsage},
		{func(s *Spec) { s.Args = []string{"a\x00b"} }, "NUL", kernel.ErrUsage},
		{func(s *Spec) { s.Stdout = "stdout" }, "stdout must be PIPE or DEVNULL", kernel.ErrUsage},
		{func(s *Spec) { s.Bufsize = -1 }, "bufsize", kernel.ErrUsage},
		{func(s *Spec) { n := -5; s.UID = &n }, "no number of a user", kernel.ErrUsage},
	} {
		s := sh("a", "true")
		c.change(&s)
		_, err := table.run(s)
		if err == nil || !strings.Contains(err.Error(), c.want) || !errors.Is(err, c.is) {
			t.Errorf("%v: want %q", err, c.want)
		}
	}
	if table.Count() != 0 {
		t.Errorf("%d processes are there of those that could not be started", table.Count())
	}
	if left, _ := os.ReadDir(table.dir.file.Name()); len(left) != 0 {
		t.Errorf("left in the directory: %v", left)
	}
}

func TestPA52Remove(t *testing.T) {
	table := open(t)
	i := table.must(t, sh("a", "echo x; read y"))
	if err := table.Remove(0, patterns(t, "nobody")); !errors.Is(err, kernel.ErrNotFound) {
		t.Errorf("%v", err)
	}
	w := table.watch(t, "", "a")
	if _, err := w.Next(short(t)); err != nil {
		t.Fatal(err)
	}
	j := table.must(t, sh("b", "sleep 1000"))
	if err := table.Remove(0, patterns(t, "b")); err != nil {
		t.Fatal(err)
	}
	if unix.Kill(j.PID, 0) != nil {
		t.Error("the process itself should go on")
	}
	if list := table.List(0, patterns(t, "b")); len(list) != 1 || !list[0].Removed {
		t.Errorf("%+v", list)
	}
	if _, err := table.run(sh("b", "sleep 1000")); !errors.Is(err, kernel.ErrExists) {
		t.Errorf("the name of one that still runs: %v", err)
	}
	over := table.processes[keyOf(0, "b")].over
	if err := table.Signal(0, patterns(t, fmt.Sprint(j.PID)), unix.SIGKILL); err != nil { // PA-15: by number
		t.Fatal(err)
	}
	<-over
	if list := table.List(0, patterns(t, "b")); len(list) != 0 {
		t.Errorf("%+v: it is forgotten when it ends", list)
	}
	if err := table.Remove(0, patterns(t, "a*")); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Next(short(t)); !errors.Is(err, io.EOF) {
		t.Errorf("%v: nothing is left to watch", err)
	}
	_ = unix.Kill(i.PID, unix.SIGKILL)
	w.Close()
}

func TestPA56NothingIsLostBeforeItIsAcknowledged(t *testing.T) {
	table := open(t)
	table.must(t, sh("a", "echo one; exit 4"))
	table.settled(t)
	for range 3 { // consumers that end before they acknowledge
		w := table.watch(t, "", "a")
		var r result
		for r.closed == 0 {
			events, err := w.Next(short(t))
			if err != nil {
				t.Fatal(err)
			}
			r = result{}
			for _, e := range events {
				r.add(e)
			}
		}
		if r.out.String() != "one\n" || r.code != 4 {
			t.Fatalf("%+v", r)
		}
		w.Close()
	}
	drainAll(t, table.watch(t, "", "a"))
	if table.Count() != 0 {
		t.Error("it is taken, and still there")
	}
}

func TestPA62Consumers(t *testing.T) {
	table := open(t)
	table.must(t, sh("a", "for i in 1 2 3 4 5; do echo $i; done; exit 2"))
	log, metrics := table.watch(t, "log", "a"), table.watch(t, "metrics", "a")
	for _, w := range []*Watch{log, metrics} {
		if got := drainAll(t, w)["a"]; got.out.String() != "1\n2\n3\n4\n5\n" || got.code != 2 {
			t.Errorf("%+v: each consumer gets all of it", got)
		}
	}
	if table.Count() != 0 {
		t.Error("both have taken it, and it is still there")
	}
}

func TestTwoWatchesOfOneConsumerSeeTheSame(t *testing.T) {
	table := open(t)
	table.must(t, sh("a", "echo x"))
	table.settled(t)
	one, two := table.watch(t, "", "a"), table.watch(t, "", "a")
	for _, w := range []*Watch{one, two} {
		if e, err := w.Next(short(t)); err != nil || string(e[0].Data) != "x\n" {
			t.Fatalf("%v %v", e, err)
		}
	}
	if err := errors.Join(one.Acknowledge(), two.Acknowledge()); err != nil {
		t.Fatal(err)
	}
	drainAll(t, one)
	drainAll(t, two)
}

func TestFollow(t *testing.T) {
	table := open(t)
	w, err := table.Watch(0, patterns(t, "web.*"), "", true)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range 3 {
		table.must(t, sh(fmt.Sprintf("web.%d", i), "exit 5"))
		e, err := w.Next(short(t))
		if err != nil || e[0].Kind != Closed || e[0].Code != 5 {
			t.Fatalf("%+v %v", e, err)
		}
		if err := w.Acknowledge(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestStop(t *testing.T) {
	table := open(t)
	table.must(t, sh("polite", "sleep 1000"))
	table.must(t, sh("deaf", "trap '' TERM; echo ready; while :; do sleep 1000; done"))
	w := table.watch(t, "", "deaf")
	if _, err := w.Next(short(t)); err != nil { // it has its trap
		t.Fatal(err)
	}
	if err := table.Stop(short(t), 0, patterns(t, "*"), 100*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	got := drainAll(t, table.watch(t, "", "*"))
	if got["polite"].code != -15 || got["deaf"].code != -9 {
		t.Errorf("%+v %+v", got["polite"], got["deaf"])
	}
	w.Close()
}

func TestStreamsThatStayOpen(t *testing.T) {
	if testing.Short() {
		t.Skip("NOT TESTED: takes as long as streams may stay open")
	}
	table := open(t)
	table.must(t, sh("a", "sleep 300 & echo $!"))
	got := drainAll(t, table.watch(t, "", "a"))["a"]
	var pid int
	if _, err := fmt.Sscan(got.out.String(), &pid); err != nil {
		t.Fatal(err)
	}
	if err := unix.Kill(pid, unix.SIGKILL); err != nil {
		t.Errorf("what it had started: %v", err)
	}
	if got.closed != 1 {
		t.Errorf("%+v", got)
	}
}

// BenchmarkTrue is a process from its start to the acknowledgement of its exit code.
func BenchmarkTrue(b *testing.B) {
	table, err := Open(filepath.Join(b.TempDir(), "processes"), nil, holder.Past{}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		b.Fatal(err)
	}
	defer table.Close()
	w, err := table.Watch(0, patterns(b, "*"), "", true)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Close()
	n := 0
	for b.Loop() {
		n++
		table.must(b, Spec{Name: fmt.Sprint("true.", n), Args: []string{"/bin/true"}, Bufsize: DefaultBufsize})
		for heard := false; !heard; {
			events, err := w.Next(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			heard = events[0].Kind == Closed
			if err := w.Acknowledge(); err != nil {
				b.Fatal(err)
			}
		}
	}
}
