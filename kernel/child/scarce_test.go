//go:build linux

package child

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// TestNothingIsMadeForWhatPrintedNothing: a server that finds processes again needs no file that was not there before.
func TestNothingIsMadeForWhatPrintedNothing(t *testing.T) {
	table := first(t)
	table.must(t, sh("a", "exit 3"))
	table.settled(t)
	next := reopen(t, table, holder.Past{Holder: os.Getpid()})
	names, err := next.dir.names()
	if err != nil || !slices.Equal(names, []string{"0-a" + extRecord}) {
		t.Errorf("%q, %v", names, err)
	}
	if got := drainAll(t, next.watch(t, "", "a"))["a"]; got.code != 3 {
		t.Errorf("%+v", got)
	}
}

// TestRecordThatCannotBeOpenedNow is not put aside: the server does not come up, and one that does later finds it.
func TestRecordThatCannotBeOpenedNow(t *testing.T) {
	table := first(t)
	table.must(t, sh("a", "echo out; exit 3"))
	table.settled(t)
	path := table.dir.file.Name()
	table.Close()
	record := free(t, 3)
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	// The directory, the lookout and the record can be opened; what is printed cannot.
	few := unix.Rlimit{Cur: uint64(record + 1), Max: limit.Max}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	_, err := Open(path, nil, holder.Past{Holder: os.Getpid()}, slog.New(slog.DiscardHandler), nil)
	if again := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); again != nil {
		t.Fatal(again)
	}
	if err == nil || !strings.Contains(err.Error(), "too many open files; it is tried again") {
		t.Errorf("%v", err)
	}
	if _, err := os.Lstat(filepath.Join(path, "0-a"+extBad)); err == nil {
		t.Error("the record was put aside")
	}
	next, err := Open(path, nil, holder.Past{Holder: os.Getpid()}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Close()
	if got := drainAll(t, next.watch(t, "", "a"))["a"]; got.out.String() != "out\n" || got.code != 3 {
		t.Errorf("%+v", got)
	}
}

// TestOutputWaitsForDescriptors: what cannot be recorded because there are no descriptors left stays in the pipe, also after
// the process has ended, and the log says so.
func TestOutputWaitsForDescriptors(t *testing.T) {
	var said logged
	table, err := Open(filepath.Join(t.TempDir(), "processes"), nil, holder.Past{}, slog.New(slog.NewTextHandler(&said, nil)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	spec := sh("a", "read x; echo out; echo err >&2; exit 3")
	spec.Stdin = Pipe
	table.must(t, spec)
	p := table.processes[keyOf(0, "a")]
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	none := free(t, 1)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: uint64(none), Max: limit.Max}); err != nil {
		t.Fatal(err)
	}
	restore := sync.OnceFunc(func() {
		if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
			t.Error(err)
		}
	})
	defer restore()
	if err := table.Send(short(t), 0, patterns(t, "a")[0], []byte("\n"), time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	<-p.ended
	eventually(t, "the log says that it waits", func() bool { return strings.Contains(said.text(), "waits in the pipe") })
	time.Sleep(linger + linger/5) // after that, streams that somebody else has count as closed: these must not
	restore()
	if got := drainAll(t, table.watch(t, "", "a"))["a"]; got.out.String() != "out\n" || got.err.String() != "err\n" || got.lost != 0 || got.code != 3 {
		t.Errorf("%+v", got)
	}
}

// logged is a log.
type logged struct {
	mu  sync.Mutex
	all strings.Builder
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.Write(p)
}

func (l *logged) text() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.all.String()
}

// TestBlockKeepsTheEnd: what a process with overflow=block has printed last waits in the pipe, however long after its end
// somebody takes what is before.
func TestBlockKeepsTheEnd(t *testing.T) {
	table := open(t)
	spec := sh("a", "head -c 90000 /dev/zero; echo end")
	spec.Bufsize, spec.Overflow = 32<<10, Block
	table.must(t, spec)
	<-table.processes[keyOf(0, "a")].ended
	time.Sleep(linger + linger/5)
	if got := drainAll(t, table.watch(t, "", "a"))["a"]; got.out.Len() != 90004 || got.lost != 0 || got.closed != 1 {
		t.Errorf("%d bytes, %d lost, closed %d times", got.out.Len(), got.lost, got.closed)
	}
}

// free is the highest of the next n numbers of descriptors.
func free(t *testing.T, n int) (highest int) {
	t.Helper()
	for range n {
		fd, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = unix.Close(fd) }()
		highest = max(highest, fd)
	}
	return highest
}

// TestWordsThatAreNoText come back from a record as they were.
func TestWordsThatAreNoText(t *testing.T) {
	spec := sh("a", "exit 0")
	spec.Args = append(spec.Args, "\xff\xfe<\xc3>", "text", "\xed\xa0\x80")
	spec.Env = []string{"A=\xff", "B=b"}
	table := first(t)
	table.must(t, spec)
	table.settled(t)
	next := reopen(t, table, holder.Past{Holder: os.Getpid()})
	if got := next.List(0, nil)[0].Spec; !slices.Equal(got.Args, spec.Args) || !slices.Equal(got.Env, spec.Env) {
		t.Errorf("%q, %q", got.Args, got.Env)
	}
	if i, err := next.run(spec); err != nil || i.Running {
		t.Errorf("the same again: %+v, %v", i, err)
	}
}
