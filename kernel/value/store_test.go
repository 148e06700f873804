package value

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// TestMain lets the test binary be a process that dies while it changes values.
func TestMain(m *testing.M) {
	if dir := os.Getenv("VALUE_DIR"); dir != "" {
		os.Exit(play(dir, os.Getenv("VALUE_PLAY")))
	}
	goleak.VerifyTestMain(m)
}

func quiet() *slog.Logger { return slog.New(slog.NewTextHandler(io.Discard, nil)) }

func open(t *testing.T, dir string) *Store {
	t.Helper()
	s, err := Open(dir, quiet(), nil)
	must(t, err)
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// want compares what is there with name=value words.
func want(t *testing.T, s *Store, pairs ...string) {
	t.Helper()
	var got []string
	for _, v := range s.List(1, nil) {
		got = append(got, v.Name+"="+v.Data)
	}
	if g, w := strings.Join(got, " "), strings.Join(pairs, " "); g != w {
		t.Errorf("values %q, not %q", g, w)
	}
}

func patterns(t *testing.T, texts ...string) []name.Pattern {
	t.Helper()
	list, err := name.ParseAll("value", texts)
	must(t, err)
	return list
}

// TestPA35to38Values: set, get, list and remove, and all of it again from the journal.
func TestPA35to38Values(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	for _, p := range []string{"a.1", "a.2", "b", "gone", "empty"} {
		must(t, s.Set(1, p, "of "+p, Change{}))
	}
	must(t, s.Set(2, "b", "of another owner", Change{}))
	must(t, s.Set(1, "empty", "", Change{}))
	must(t, s.Set(1, "b", "\x00\xff\n", Change{Sync: true}))
	if n, err := s.Remove(1, patterns(t, "gone", "nosuch")); n != 1 || err != nil {
		t.Errorf("removed %d, %v", n, err)
	}
	for range 2 {
		want(t, s, "a.1=of a.1", "a.2=of a.2", "b=\x00\xff\n")
		if got, ok := s.Get(2, "b"); !ok || got != "of another owner" {
			t.Errorf("the other owner has %q", got)
		}
		if _, ok := s.Get(1, "empty"); ok {
			t.Error("an empty value is there")
		}
		if n := len(s.List(1, patterns(t, "a.*"))); n != 2 {
			t.Errorf("a.* are %d", n)
		}
		must(t, s.Close())
		s = open(t, dir)
	}
	if err := s.Set(1, "*", "x", Change{}); err == nil || !strings.Contains(err.Error(), "requires a name") {
		t.Errorf("a star as a name: %v", err)
	}
	must(t, s.Close())
}

// TestPA39CompareAndSet: of many who want to be the first, one is.
func TestPA39CompareAndSet(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	var won sync.Map
	var work sync.WaitGroup
	for i := range 32 {
		work.Go(func() {
			if ok, err := s.CompareAndSet(1, "leader", "", fmt.Sprint("n", i), Change{}); ok && err == nil {
				won.Store(i, true)
			}
		})
	}
	work.Wait()
	n := 0
	won.Range(func(any, any) bool { n++; return true })
	if n != 1 {
		t.Errorf("%d were the first", n)
	}
	if ok, _ := s.CompareAndSet(1, "leader", "nobody", "x", Change{}); ok {
		t.Error("the old value did not count")
	}
}

// TestPA39TTL: a value ends with its time, over a restart too, and another Set of it does not.
func TestPA39TTL(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Set(1, "short", "x", Change{TTL: time.Nanosecond}))
	must(t, s.Set(1, "long", "x", Change{TTL: time.Hour}))
	must(t, s.Set(1, "renewed", "x", Change{TTL: time.Nanosecond}))
	must(t, s.Set(1, "renewed", "y", Change{}))
	for range 2 {
		want(t, s, "long=x", "renewed=y")
		if left := time.Until(s.List(1, patterns(t, "long"))[0].Expires); left < 50*time.Minute || left > time.Hour {
			t.Errorf("it expires in %s", left)
		}
		must(t, s.Close())
		s = open(t, dir)
	}
	if s.Len() != 2 {
		t.Errorf("%d values", s.Len())
	}
	must(t, s.Close())
}

// TestLimits: what is too much is refused, and changes nothing.
func TestLimits(t *testing.T) {
	s := open(t, t.TempDir())
	defer s.Close()
	if err := s.Set(1, "big", strings.Repeat("x", MaxValue+1), Change{}); err == nil {
		t.Error("a value over the limit was taken")
	}
	full := strings.Repeat("x", MaxValue)
	for i := range MaxTotal/MaxValue - 1 {
		must(t, s.Set(1, fmt.Sprint("v", i), full, Change{}))
	}
	must(t, s.Set(1, "v0", full, Change{})) // the same again takes no more room
	must(t, s.Set(1, "rest", full[:MaxValue-1024], Change{}))
	if err := s.Set(1, "one.more", full[:4096], Change{}); err == nil || !strings.Contains(err.Error(), "remove some") {
		t.Errorf("all values together over the limit: %v", err)
	}
	must(t, s.Set(2, "one.more", "x", Change{})) // another owner has a limit of its own
	if _, ok := s.Get(1, "one.more"); ok {
		t.Error("what was refused is there")
	}
}

// TestCompaction: the journal does not grow with its history, and loses nothing.
func TestCompaction(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Set(1, "steady", "here", Change{}))
	for i := range 5000 {
		must(t, s.Set(1, "counter", strings.Repeat(fmt.Sprint(i%10), 1000), Change{}))
	}
	must(t, s.Close())
	info, err := os.Stat(filepath.Join(dir, "values"))
	must(t, err)
	if info.Size() > slack+1<<20 {
		t.Errorf("the journal has %d bytes", info.Size())
	}
	s = open(t, dir)
	want(t, s, "counter="+strings.Repeat("9", 1000), "steady=here")
	must(t, s.Close())
}

// TestOneUser: two stores cannot write one journal.
func TestOneUser(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	defer s.Close()
	if _, err := Open(dir, quiet(), nil); err == nil || !strings.Contains(err.Error(), "another kernel") {
		t.Errorf("a second store: %v", err)
	}
	must(t, s.compact()) // the new file is locked, too
	if _, err := Open(dir, quiet(), nil); err == nil {
		t.Error("a second store after the journal was replaced")
	}
}

// play changes values for ever, or until its end, and dies where VALUE_POINT says, at the time that VALUE_COUNT says.
func play(dir, what string) int {
	where, times := os.Getenv("VALUE_POINT"), 0
	count := 1
	fmt.Sscan(os.Getenv("VALUE_COUNT"), &count)
	s, err := Open(dir, quiet(), nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	point = func(p string) {
		if p == where {
			if times++; times == count {
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
				select {}
			}
		}
	}
	switch what {
	case "full":
		return playFull(s)
	case "change":
		must := func(err error) {
			if err != nil {
				panic(err)
			}
		}
		must(s.Set(1, "a", "new a", Change{}))
		must(s.Set(1, "b", "", Change{}))
		s.mu.Lock()
		must(s.compact())
		s.mu.Unlock()
		must(s.Set(1, "c", "new c", Change{}))
		return 0
	}
	return 2
}

// playFull sets a value for which the disk has no room; a limit for files stands for the disk.
func playFull(s *Store) int {
	signal.Ignore(syscall.SIGXFSZ)
	var limit unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_FSIZE, &limit) != nil {
		return 3
	}
	setLimit(&limit.Cur, s.journal.size+200)
	if unix.Setrlimit(unix.RLIMIT_FSIZE, &limit) != nil {
		return 3
	}
	err := s.Set(1, "a", strings.Repeat("x", 1000), Change{})
	if err == nil {
		return 4
	}
	fmt.Print(err)
	if got, _ := s.Get(1, "a"); got != "old a" {
		return 5
	}
	if s.Set(1, "b", "fits", Change{}) != nil {
		return 6
	}
	return 0
}

// setLimit is for a field that has another type on other systems.
func setLimit[T int64 | uint64](field *T, n int64) { *field = T(n) }

func child(dir, what, where string, count int) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "VALUE_DIR="+dir, "VALUE_PLAY="+what, "VALUE_POINT="+where, fmt.Sprint("VALUE_COUNT=", count))
	return cmd
}

func prepared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Set(1, "a", "old a", Change{}))
	must(t, s.Set(1, "b", "old b", Change{}))
	must(t, s.Close())
	return dir
}

// TestKilledAtEveryPoint: wherever a process is killed that changes values, the next one finds old or new ones, in the order
// in which they were changed, and can go on.
func TestKilledAtEveryPoint(t *testing.T) {
	states := [][]string{
		{"a=old a", "b=old b"},
		{"a=new a", "b=old b"},
		{"a=new a"},
		{"a=new a", "c=new c"},
	}
	deaths := 0
	for _, p := range []struct {
		point string
		state []int // after the first, second … time that it is passed
	}{
		{"append", []int{0, 1, 2, 2}}, {"appended", []int{1, 2, 2, 3}},
		{"new", []int{2}}, {"begun", []int{2}}, {"filled", []int{2}}, {"synced", []int{2}}, {"renamed", []int{2}}, {"done", []int{2}},
	} {
		for i, state := range p.state {
			t.Run(fmt.Sprint(p.point, i+1), func(t *testing.T) {
				dir := prepared(t)
				cmd := child(dir, "change", p.point, i+1)
				out, err := cmd.CombinedOutput()
				if ws := cmd.ProcessState.Sys().(syscall.WaitStatus); !ws.Signaled() {
					t.Fatalf("it was not killed: %v %s", err, out)
				}
				deaths++
				for range 2 {
					s := open(t, dir)
					want(t, s, states[state]...)
					must(t, s.Set(1, "a", "later", Change{Sync: true}))
					must(t, s.Set(1, "a", strings.TrimPrefix(states[state][0], "a="), Change{}))
					must(t, s.Close())
				}
				if _, err := os.Stat(filepath.Join(dir, "values.bad")); err == nil {
					t.Error("something was put aside")
				}
			})
		}
	}
	if deaths != 14 {
		t.Errorf("%d deaths", deaths)
	}
}

// TestTornAnywhere: a journal that was cut at any byte has all records before, and the store goes on.
func TestTornAnywhere(t *testing.T) {
	dir := prepared(t)
	path := filepath.Join(dir, "values")
	whole, err := os.ReadFile(path)
	must(t, err)
	first := sizeOf + overhead + len("a") + len("old a")
	for n := range len(whole) {
		must(t, os.WriteFile(path, whole[:n], 0o600))
		s, err := Open(dir, quiet(), nil)
		if err != nil {
			t.Fatalf("cut at %d: %v", n, err)
		}
		switch {
		case n < first:
			want(t, s)
		default:
			want(t, s, "a=old a")
		}
		must(t, s.Set(1, "b", "again", Change{}))
		must(t, s.Close())
		s = open(t, dir)
		if got, _ := s.Get(1, "b"); got != "again" {
			t.Fatalf("cut at %d: what was set after it is %q", n, got)
		}
		must(t, s.Close())
	}
}

// TestDamage: one flipped bit costs one record, which is put aside and reported; the others stay.
func TestDamage(t *testing.T) {
	dir := prepared(t)
	path := filepath.Join(dir, "values")
	whole, err := os.ReadFile(path)
	must(t, err)
	end := sizeOf + overhead + len("a") + len("old a")
	for at := sizeOf; at < end; at++ {
		for bit := range 8 {
			damaged := bytes.Clone(whole)
			damaged[at] ^= 1 << bit
			must(t, os.WriteFile(path, damaged, 0o600))
			var log bytes.Buffer
			s, err := Open(dir, slog.New(slog.NewTextHandler(&log, nil)), nil)
			must(t, err)
			want(t, s, "b=old b")
			must(t, s.Close())
			if !strings.Contains(log.String(), "damaged records") || strings.Contains(log.String(), "old a") {
				t.Fatalf("byte %d: the log says %q", at, log.String())
			}
			if bad, err := os.ReadFile(path + ".bad"); err != nil || !bytes.Equal(bad, damaged[sizeOf:end]) {
				t.Fatalf("byte %d: put aside: %q %v", at, bad, err)
			}
		}
	}
	damaged := bytes.Clone(whole)
	damaged[len(titleOf)+1] ^= 1 // another mark, of which no record is
	for _, text := range [][]byte{append([]byte("deliveryboy values 3\n"), whole...), damaged} {
		must(t, os.WriteFile(path, text, 0o600))
		if _, err := Open(dir, quiet(), nil); err == nil || !strings.Contains(err.Error(), "another version") {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

// earlier is a journal as version 1 wrote it.
func earlier(records ...record) []byte {
	text := []byte(titleOf1)
	for _, r := range records {
		text = encode(text, markOf1, r)
	}
	return text
}

// TestRecordsWithinAValue: what somebody put into a value is not taken for records when that value is damaged, neither at the
// end, as a kill leaves it, nor in its head. The marks of files are not known to who sets values.
func TestRecordsWithinAValue(t *testing.T) {
	const me, guest = 1, 2
	dir := t.TempDir()
	path := filepath.Join(dir, "values")
	s := open(t, dir)
	must(t, s.Set(me, "leader", "mine", Change{}))
	var theirs []byte
	for range 1000 {
		theirs = encode(theirs, markOf1, record{me, "leader", "theirs", 0})
	}
	must(t, s.Set(guest, "x", string(theirs), Change{}))
	head := int(s.journal.size) - len(theirs) - len("x") - overhead
	must(t, s.Close())
	whole, err := os.ReadFile(path)
	must(t, err)
	flipped := bytes.Clone(whole)
	flipped[head+sizeMark] ^= 1 // of its length
	for what, text := range map[string][]byte{"cut": whole[:len(whole)-100], "a bit of its head": flipped} {
		must(t, os.WriteFile(path, text, 0o600))
		s = open(t, dir)
		want(t, s, "leader=mine")
		if n := s.Names(guest); n != 0 {
			t.Errorf("%s: the damaged one is there", what)
		}
		must(t, s.Close())
	}
}

// TestEarlierVersion: a journal of version 1 is read, and written anew at once.
func TestEarlierVersion(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "values")
	must(t, os.WriteFile(path, earlier(record{1, "a", "x", 0}, record{1, "b", "y", 0}, record{1, "a", "", 0}), 0o600))
	for range 2 {
		s := open(t, dir)
		want(t, s, "b=y")
		must(t, s.Close())
		if text, err := os.ReadFile(path); err != nil || !bytes.HasPrefix(text, []byte(titleOf)) {
			t.Errorf("%q, %v", text, err)
		}
	}
}

// TestDiskFull: a change for which there is no room fails, and harms nothing.
func TestDiskFull(t *testing.T) {
	dir := prepared(t)
	out, err := child(dir, "full", "", 1).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "could not be stored") {
		t.Fatalf("%v: %s", err, out)
	}
	s := open(t, dir)
	want(t, s, "a=old a", "b=fits")
	must(t, s.Close())
}

// TestLink: a symbolic link in the place of the journal is not followed.
func TestLink(t *testing.T) {
	dir := t.TempDir()
	must(t, os.WriteFile(filepath.Join(dir, "other"), nil, 0o600))
	must(t, os.Symlink("other", filepath.Join(dir, "values")))
	if _, err := Open(dir, quiet(), nil); err == nil {
		t.Error("it was followed")
	}
}

// FuzzJournal: whatever a journal holds, the records of it are sound, and together with what is put aside they are all of it.
func FuzzJournal(f *testing.F) {
	const mark = "8 bytes!"
	good := encode(encode(nil, mark, record{1, "a", "x", 0}), mark, record{2, "b", "", 7})
	f.Add(good)
	f.Add(append([]byte("rubbish"), good...))
	f.Add(good[:len(good)-1])
	f.Add([]byte(mark + mark + mark))
	f.Fuzz(func(t *testing.T, text []byte) {
		size := 0
		r := scan(text, mark, func(r record) {
			size += len(encode(nil, mark, r))
			if name.Check("value", r.name) != nil || len(r.data) > MaxValue+name.Max {
				t.Errorf("a record that cannot be: %+v", r)
			}
		})
		if size+len(r.bad) != len(text) {
			t.Errorf("%d bytes in records, %d put aside, of %d", size, len(r.bad), len(text))
		}
	})
}

// TestClockJumps: what the machine's clock says decides about a ttl only when the journal is read.
func TestClockJumps(t *testing.T) {
	dir := t.TempDir()
	s := open(t, dir)
	must(t, s.Set(1, "a", "x", Change{TTL: time.Hour}))
	k := key{1, "a"}
	e := s.values[k]
	e.expires = time.Now().Add(-time.Hour).UnixNano() // as after a jump by two hours
	s.values[k] = e
	want(t, s, "a=x")
	must(t, s.Set(1, "b", "y", Change{TTL: time.Nanosecond}))
	want(t, s, "a=x")
	if err := s.Set(1, "c", "z", Change{TTL: 1<<63 - 1}); err == nil || !strings.Contains(err.Error(), "there may be 876000h") {
		t.Errorf("longer than clocks can tell: %v", err)
	}
	must(t, s.compact())
	must(t, s.Close())
	s = open(t, dir)
	want(t, s)
	must(t, s.Close())
}
