//go:build linux

package child

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// reopen is what the next server finds after this one.
func reopen(t *testing.T, table *Table, past holder.Past) *Table {
	t.Helper()
	table.Close()
	next, err := Open(table.dir.file.Name(), nil, past, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(next.Close)
	return next
}

// first is a table whose test closes it.
func first(t *testing.T) *Table {
	t.Helper()
	table, err := Open(filepath.Join(t.TempDir(), "processes"), nil, holder.Past{Holder: os.Getpid()}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// mixed prints to both streams in turn, with pauses so that it comes in pieces.
const mixed = `for i in 1 2 3 4 5; do echo o$i; sleep 0.02; echo e$i >&2; sleep 0.02; done; exit 6`

// order is what a watch tells, in its order.
func order(t *testing.T, w *Watch) (pieces []string) {
	t.Helper()
	for {
		events, err := w.Next(short(t))
		if err != nil {
			return pieces
		}
		for _, e := range events {
			piece := string(e.Kind) + ":" + strings.TrimSpace(string(e.Data))
			if e.Kind == Closed {
				piece = fmt.Sprint("closed:", e.Code, e.Known)
			}
			pieces = append(pieces, piece)
		}
		if err := w.Acknowledge(); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOutputIsThereForTheNextServer(t *testing.T) {
	want := []string{"out:o1", "err:e1", "out:o2", "err:e2", "out:o3", "err:e3", "out:o4", "err:e4", "out:o5", "err:e5", "closed:6 true"}
	table := first(t)
	table.must(t, sh("a", mixed))
	table.settled(t)
	next := reopen(t, table, holder.Past{Holder: os.Getpid()})
	if got := order(t, next.watch(t, "", "a")); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

// TestIndexIsNotTheTruth: bytes that the index does not know, because the server died before it wrote that, are not lost; nor
// are those of lines that are damaged.
func TestIndexIsNotTheTruth(t *testing.T) {
	for _, c := range []struct {
		name   string
		damage func(t *testing.T, index string)
	}{
		{"cut by one line", func(t *testing.T, index string) { cut(t, index, lineSize) }},
		{"cut in a line", func(t *testing.T, index string) { cut(t, index, 7) }},
		{"empty", func(t *testing.T, index string) { cut(t, index, 1<<20) }},
		{"gone", func(t *testing.T, index string) {
			if err := os.Remove(index); err != nil {
				t.Fatal(err)
			}
		}},
		{"last line damaged", func(t *testing.T, index string) {
			data, err := os.ReadFile(index)
			if err != nil {
				t.Fatal(err)
			}
			data[len(data)-lineSize+3] ^= 4
			if err := os.WriteFile(index, data, 0o600); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			table := first(t)
			table.must(t, sh("a", mixed))
			table.settled(t)
			table.Close()
			c.damage(t, filepath.Join(table.dir.file.Name(), "0-a"+extIndex))
			next, err := Open(table.dir.file.Name(), nil, holder.Past{}, slog.New(slog.DiscardHandler), nil)
			if err != nil {
				t.Fatal(err)
			}
			defer next.Close()
			got := drainAll(t, next.watch(t, "", "a"))["a"]
			if got.out.String() != "o1\no2\no3\no4\no5\n" || got.err.String() != "e1\ne2\ne3\ne4\ne5\n" || got.lost != 0 || got.code != 6 {
				t.Errorf("%q, %q, %d lost, code %d", got.out.String(), got.err.String(), got.lost, got.code)
			}
		})
	}
}

func cut(t *testing.T, path string, n int64) {
	t.Helper()
	info, err := os.Stat(path)
	if err == nil {
		err = os.Truncate(path, max(info.Size()-n, 0))
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestRecordAtEveryLength: a record is read up to its last whole line, wherever its writer died, and what was acknowledged by
// then counts.
func TestRecordAtEveryLength(t *testing.T) {
	table := first(t)
	table.must(t, sh("a", "echo one; exit 3"))
	table.settled(t)
	w := table.watch(t, "x", "a")
	if _, err := w.Next(short(t)); err != nil {
		t.Fatal(err)
	}
	w.Close()
	path := filepath.Join(table.dir.file.Name(), "0-a"+extRecord)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	firstLine := bytes.IndexByte(whole, '\n') + 1
	for n := range len(whole) + 1 {
		entries, err := parseRecord(whole[:n])
		if n < firstLine {
			if err == nil {
				t.Fatalf("a record of %d bytes says %+v", n, entries)
			}
			continue
		}
		if err != nil || len(entries) != bytes.Count(whole[:n], []byte{'\n'}) {
			t.Fatalf("of %d bytes: %d entries, %v", n, len(entries), err)
		}
	}
	for i := range whole { // each bit counts
		if whole[i] == '\n' {
			continue
		}
		bad := bytes.Clone(whole)
		bad[i] ^= 1
		if entries, err := parseRecord(bad); err == nil && bytes.Count(bad, []byte{'\n'}) == bytes.Count(whole, []byte{'\n'}) {
			t.Fatalf("byte %d is wrong, and it says %+v", i, entries)
		}
	}
	table.Kill()
	table.Close()
}

func TestLongRecordIsWrittenAnew(t *testing.T) {
	table := first(t)
	table.must(t, sh("a", "i=0; while [ $i -lt 3000 ]; do echo $i; i=$((i+1)); done; read x"))
	p := table.all()[0]
	w := table.watch(t, "x", "a")
	for range 2000 {
		p.mu.Lock()
		c, err := p.consumer("y")
		if err == nil {
			err = p.write(entry{Taken: c})
		}
		p.mu.Unlock()
		if err != nil {
			t.Fatal(err)
		}
	}
	info, err := p.record.Stat()
	if err != nil || info.Size() > compactAt+4096 {
		t.Errorf("the record has %d bytes, %v", info.Size(), err)
	}
	w.Close()
	table.settled(t)
	next := reopen(t, table, holder.Past{Holder: os.Getpid()})
	var want strings.Builder
	for i := range 3000 {
		fmt.Fprintln(&want, i)
	}
	for _, consumer := range []string{"x", "y"} {
		if got := drainAll(t, next.watch(t, consumer, "a"))["a"]; got.out.String() != want.String() {
			t.Errorf("%s: %d bytes of %d", consumer, got.out.Len(), want.Len())
		}
	}
	if next.Count() != 0 {
		t.Error("taken by both, and still there")
	}
}

// TestInterruptedStart: the server died after it had started a process and before it could say so to anybody.
func TestInterruptedStart(t *testing.T) {
	table := first(t)
	p := newProcess(table, sh("a", "read x; echo here; exit 5"))
	if err := p.spec.check(); err != nil {
		t.Fatal(err)
	}
	var err error
	if p.record, err = table.dir.open(p.key+extRecord, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND); err != nil {
		t.Fatal(err)
	}
	if err := p.write(entry{Version: recordVersion, Spec: &p.spec}); err != nil {
		t.Fatal(err)
	}
	its, made, err := p.connect()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(p.spec.Args[0], p.spec.Args[1:]...) //nolint:noctx // it ends by itself
	cmd.Stdout, cmd.Stderr = its[1], its[2]
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	closeFiles(made)
	next := reopen(t, table, holder.Past{Holder: os.Getpid(), Held: []holder.Held{
		{Key: held(p.key), Note: []byte("OE"), Files: []*os.File{p.pipes[fromOut], p.pipes[fromErr]}},
	}})
	if list := next.List(0, nil); len(list) != 1 || list[0].PID != cmd.Process.Pid || !list[0].Running {
		t.Errorf("%+v: process %d was to be found", list, cmd.Process.Pid)
	}
	in.Close()
	if got := drainAll(t, next.watch(t, "", "a"))["a"]; got.out.String() != "here\n" || got.code != 5 || !got.known {
		t.Errorf("%+v", got)
	}
}

// TestEndBetweenServers: the server died before it had told the holder the number of a process, and that has ended before
// the next one came. The holder, whose child it then was, tells how: before that server asks, or when it does.
func TestEndBetweenServers(t *testing.T) {
	for _, told := range []string{"at once", "later"} {
		t.Run(told, func(t *testing.T) {
			table := first(t)
			p := newProcess(table, sh("a", "echo here; exit 5"))
			if err := p.spec.check(); err != nil {
				t.Fatal(err)
			}
			var err error
			if p.record, err = table.dir.open(p.key+extRecord, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND); err != nil {
				t.Fatal(err)
			}
			its, made, err := p.connect()
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(p.spec.Args[0], p.spec.Args[1:]...) //nolint:noctx // it ends by itself
			cmd.Stdout, cmd.Stderr = its[1], its[2]
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			closeFiles(made)
			p.run = run{Process: holder.Process{PID: cmd.Process.Pid, Start: holder.StartOf(cmd.Process.Pid)}, Boot: table.boot}
			if err := errors.Join(p.write(entry{Version: recordVersion, Spec: &p.spec}), p.write(entry{Run: &p.run})); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			end := holder.Exit{Process: p.run.Process, Status: 5 << 8}
			past := holder.Past{Holder: os.Getpid(), Held: []holder.Held{
				{Key: held(p.key), Note: []byte("OE"), Files: []*os.File{p.pipes[fromOut], p.pipes[fromErr]}},
			}}
			if told == "at once" {
				past.Exits = []holder.Exit{end}
			}
			next := reopen(t, table, past)
			if told == "later" {
				next.Ended(end)
			}
			if got := drainAll(t, next.watch(t, "", "a"))["a"]; got.out.String() != "here\n" || got.code != 5 || !got.known {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestRecordsThatAreNone are put aside, and the others are there. Those whose first line was not written to its end go: nothing
// had been started.
func TestRecordsThatAreNone(t *testing.T) {
	table := first(t)
	table.must(t, sh("good", "exit 2"))
	table.settled(t)
	dir := table.dir.file.Name()
	good, err := os.ReadFile(filepath.Join(dir, "0-good"+extRecord))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"0-empty": "", "0-half": string(good[:40]), "0-noise": "noise\n", "0-other": string(good), "7-good": string(good), "0-long": strings.Repeat("x", maxRecord+1),
		"0-version": "00000000 {}\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name+extRecord), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "0-link"+extRecord)); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "0-pipe"+extRecord), 0o600); err != nil {
		t.Fatal(err)
	}
	next := reopen(t, table, holder.Past{})
	if list := next.List(0, nil); len(list) != 1 || list[0].Spec.Name != "good" {
		t.Errorf("%+v", list)
	}
	for _, name := range []string{"0-noise", "0-other", "7-good", "0-long", "0-version", "0-link", "0-pipe"} {
		if _, err := os.Lstat(filepath.Join(dir, name+".bad")); err != nil {
			t.Errorf("%s is not put aside: %v", name, err)
		}
	}
	for _, name := range []string{"0-empty", "0-half"} {
		if left, _ := filepath.Glob(filepath.Join(dir, name+".*")); len(left) > 0 {
			t.Errorf("left: %q", left)
		}
	}
	if got := drainAll(t, next.watch(t, "", "good"))["good"]; got.code != 2 {
		t.Errorf("%+v", got)
	}
}

// TestLineAfterATornOne: a record that ends within a line goes on with a line of its own, so that it can be read again.
func TestLineAfterATornOne(t *testing.T) {
	table := first(t)
	table.must(t, sh("a", "exit 2"))
	table.settled(t)
	path := filepath.Join(table.dir.file.Name(), "0-a"+extRecord)
	for range 2 {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err == nil {
			_, err = f.WriteString(`12345678 {"taken":{"na`)
		}
		if err = errors.Join(err, f.Close()); err != nil {
			t.Fatal(err)
		}
		table = reopen(t, table, holder.Past{})
		w := table.watch(t, "someone", "a") // which is a line of the record
		if _, err := w.Next(short(t)); err != nil {
			t.Fatal(err)
		}
		w.Close()
	}
	if got := drainAll(t, table.watch(t, "", "a"))["a"]; got.code != 2 {
		t.Errorf("%+v", got)
	}
}

// TestDirectory: one that others can write to is refused.
func TestDirectory(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "processes")
	if err := errors.Join(os.Mkdir(dir, 0o700), os.Chmod(dir, 0o777)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, nil, holder.Past{}, slog.New(slog.DiscardHandler), nil); err == nil || !strings.Contains(err.Error(), "nobody else's to write to") {
		t.Errorf("%v", err)
	}
}

func FuzzRecord(f *testing.F) {
	spec := sh("a", "true")
	for _, list := range [][]entry{
		{{Version: recordVersion, Spec: &spec}},
		{{Version: recordVersion, Spec: &spec}, {Run: &run{Boot: "b"}}, {Exit: &exit{Code: -9, Known: true}}, {Taken: &taken{Name: "x", Pos: 7}}, {Removed: true}},
	} {
		var text []byte
		for _, e := range list {
			line, err := e.line()
			if err != nil {
				f.Fatal(err)
			}
			text = append(text, line...)
		}
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := parseRecord(data)
		if err == nil && (len(entries) == 0 || entries[0].Spec == nil || entries[0].Version != recordVersion) {
			t.Errorf("%q says %+v", data, entries)
		}
	})
}

func FuzzIndexLine(f *testing.F) {
	f.Add((&tape{}).lineOf(chunk{from: fromErr, at: 1, pos: 2, off: 3, n: 4}))
	f.Add(make([]byte, lineSize))
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) != lineSize {
			return
		}
		c, tail, lost, ok := parseLine(data)
		if ok && (c.from >= sources || c.off < 0 || c.n <= 0) {
			t.Errorf("%x is %+v, %d, %d", data, c, tail, lost)
		}
	})
}

// TestPA48SameAfterwards: for the next server, too, the same is the same and another one is refused.
func TestPA48SameAfterwards(t *testing.T) {
	table := first(t)
	spec := sh("a", "sleep 1000")
	spec.Env, spec.Limits, spec.Consumers = []string{"B=2", "A=1"}, map[string]uint64{"nofile": 50}, []string{"x"}
	before := table.must(t, spec)
	next := reopen(t, table, holder.Past{Holder: os.Getpid()})
	if after := next.must(t, spec); after.PID != before.PID || !after.Running || !after.Adopted {
		t.Errorf("%+v, and afterwards %+v", before, after)
	}
	if _, err := next.run(sh("a", "true")); !errors.Is(err, kernel.ErrExists) {
		t.Errorf("%v", err)
	}
	next.Kill()
}
