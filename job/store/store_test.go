package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func open(t *testing.T) *Store {
	t.Helper()
	s, err := OpenAt(filepath.Join(t.TempDir(), "state"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// ordered makes a job; its lock is held until the job is closed.
func ordered(t *testing.T, s *Store, change func(*Record)) *Job {
	t.Helper()
	r, call := sample()
	r.Queue = ""
	if change != nil {
		change(r)
	}
	j, err := s.Begin(r.ID)
	if err == nil {
		err = j.Order(r, call)
	}
	if err != nil {
		t.Fatal(err)
	}
	return j
}

func (j *Job) phaseNow(t *testing.T) Phase {
	t.Helper()
	st, err := j.Status()
	if err != nil {
		t.Fatal(err)
	}
	if st.Env != nil {
		t.Error("the status shows the environment")
	}
	return st.Phase
}

func TestPhases(t *testing.T) {
	t.Parallel()
	s := open(t)
	j := ordered(t, s, nil)
	look, err := s.Find(j.ID)
	if err != nil {
		t.Fatal(err)
	}
	defer look.Close()
	if p := look.phaseNow(t); p != Waiting {
		t.Errorf("ordered: %s", p)
	}
	if claimed, err := look.Claim(); claimed || err != nil {
		t.Errorf("claimed what somebody keeps: %v, %v", claimed, err)
	}
	if err := j.Keep(&Keeper{Process: Self(), Attempt: 1, Began: time.Now()}, false); err != nil {
		t.Fatal(err)
	}
	if p := look.phaseNow(t); p != Running {
		t.Errorf("kept: %s", p)
	}
	if err := j.Finish(&Result{Outcome: Returned, Attempts: 1}, [][]byte{[]byte("reply")}); err != nil {
		t.Fatal(err)
	}
	if p := look.phaseNow(t); p != Ended {
		t.Errorf("finished: %s", p)
	}
	if r, call, err := look.Ordered(); err != nil || len(call) != 0 || r.Env != nil {
		t.Errorf("what was called is still there: %q, %q, %v", call, r.Env, err)
	}
	j.Close()
	if claimed, err := look.Claim(); claimed || err != nil {
		t.Errorf("claimed one that has ended: %v, %v", claimed, err)
	}
	if err := look.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := s.Find(j.ID); !errors.Is(err, ErrNotFound) {
		t.Errorf("removed: %v", err)
	}
}

func TestLostAndClaimed(t *testing.T) {
	t.Parallel()
	s := open(t)
	never, begun := ordered(t, s, nil), ordered(t, s, nil)
	queued := ordered(t, s, func(r *Record) { r.Queue = "q" })
	if err := begun.Keep(&Keeper{Process: Self(), Attempt: 1}, false); err != nil {
		t.Fatal(err)
	}
	for _, j := range []*Job{never, begun, queued} {
		j.Close() // as if its keeper was killed
	}
	for _, c := range []struct {
		id    string
		phase Phase
		claim bool
	}{{never.ID, Lost, true}, {begun.ID, Lost, false}, {queued.ID, Waiting, true}} {
		j, err := s.Find(c.id)
		if err != nil {
			t.Fatal(err)
		}
		if p := j.phaseNow(t); p != c.phase {
			t.Errorf("%s, want %s", p, c.phase)
		}
		if claimed, err := j.Claim(); claimed != c.claim || err != nil {
			t.Errorf("%s: claimed: %v, %v", c.phase, claimed, err)
		}
		j.Close()
	}
}

func TestRubbishAndDamage(t *testing.T) {
	t.Parallel()
	s := open(t)
	good := ordered(t, s, nil)
	defer good.Close()
	bad := ordered(t, s, nil)
	bad.Close()
	torn := filepath.Join(s.path, jobsDir, bad.ID, recordFile)
	if err := os.Truncate(torn, 40); err != nil {
		t.Fatal(err)
	}
	unborn, err := s.Begin(NewID())
	if err != nil {
		t.Fatal(err)
	}
	unborn.Close()
	old := time.Now().Add(-time.Hour)
	if err := os.Chtimes(filepath.Join(s.path, jobsDir, unborn.ID), old, old); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(s.path, jobsDir, "gone."+NewID()), 0o700); err != nil {
		t.Fatal(err)
	}
	seen := map[string]error{}
	if err := s.Jobs(func(j *Job, err error) bool {
		if err == nil {
			_, err = j.Status()
			seen[j.ID] = err
			j.Close()
		}
		return true
	}); err != nil {
		t.Fatal(err)
	}
	if err, ok := seen[good.ID]; !ok || err != nil {
		t.Errorf("the good one: %v", err)
	}
	if err, ok := seen[bad.ID]; !ok || !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), bad.ID) {
		t.Errorf("the damaged one: %v", err)
	}
	left, err := os.ReadDir(filepath.Join(s.path, jobsDir))
	if err != nil || len(left) != 2 {
		t.Errorf("rubbish is left: %v, %v", left, err)
	}
}

func TestBeginTwice(t *testing.T) {
	t.Parallel()
	s := open(t)
	j, err := s.Begin(NewID())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Begin(j.ID); !errors.Is(err, fs.ErrExist) {
		t.Errorf("%v", err)
	}
	if s.Clear(j.ID) {
		t.Error("cleared what somebody is ordering")
	}
	j.Close()
	if !s.Clear(j.ID) {
		t.Error("not cleared")
	}
	kept := ordered(t, s, nil)
	defer kept.Close()
	if s.Clear(kept.ID) {
		t.Error("cleared a job")
	}
}

func TestUnsafeStores(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	open, link, file := filepath.Join(dir, "open"), filepath.Join(dir, "link"), filepath.Join(dir, "file")
	for _, err := range []error{
		os.Mkdir(open, 0o700), os.Chmod(open, 0o755), os.Symlink("/tmp", link), os.WriteFile(file, nil, 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]string{open: "mode", link: "no directory", file: "not a directory"} {
		if _, err := OpenAt(path); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	if os.Geteuid() == 0 {
		foreign := filepath.Join(dir, "foreign")
		if err := errors.Join(os.Mkdir(foreign, 0o700), os.Chown(foreign, 1, 1)); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenAt(foreign); err == nil || !strings.Contains(err.Error(), "belongs to user 1") {
			t.Error(err)
		}
	}
}

func TestFullness(t *testing.T) {
	t.Parallel()
	for err, full := range map[error]bool{
		syscall.ENOSPC: true, syscall.EDQUOT: true, syscall.EROFS: true, syscall.EACCES: false, syscall.EMFILE: false,
	} {
		if got := failed("/x", &fs.PathError{Op: "open", Path: "y", Err: err}); errors.Is(got, ErrFull) != full || !errors.Is(got, err) {
			t.Errorf("%v: %v", err, got)
		}
	}
}

// What the keeper has to write of a job that was taken on goes into files that are there: a full disk cannot keep it from that.
func TestRoomIsReserved(t *testing.T) {
	t.Parallel()
	j := ordered(t, open(t), nil)
	defer j.Close()
	for _, file := range []struct {
		name  string
		write func() error
	}{
		{keeperFile, func() error { return j.Keep(&Keeper{Process: Self(), Attempt: 1}, false) }},
		{resultFile, func() error { return j.Finish(&Result{Outcome: Returned}, nil) }},
	} {
		there, err := j.Dir.Stat(file.name + ".new")
		if err != nil {
			t.Error(err)
			continue
		}
		if err := file.write(); err != nil {
			t.Error(err)
		}
		if now, err := j.Dir.Stat(file.name); err != nil || !os.SameFile(there, now) {
			t.Errorf("%s is a new file, %v", file.name, err)
		}
	}
}

func TestExpire(t *testing.T) {
	t.Parallel()
	s := open(t)
	for _, keep := range []time.Duration{0, time.Nanosecond, time.Hour} {
		j := ordered(t, s, func(r *Record) { r.Keep = keep })
		if err := j.Finish(&Result{Outcome: Returned, Ended: time.Now().Add(-time.Minute)}, nil); err != nil {
			t.Fatal(err)
		}
		j.Close()
	}
	running := ordered(t, s, func(r *Record) { r.Keep = time.Nanosecond })
	defer running.Close()
	if !s.Due(time.Minute) || s.Due(time.Minute) {
		t.Error("it is due once")
	}
	if err := s.Expire(); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(filepath.Join(s.path, jobsDir)); err != nil || len(left) != 3 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestTickets(t *testing.T) {
	t.Parallel()
	s := open(t)
	now := time.Now().Truncate(time.Millisecond)
	var records []*Record
	for _, from := range []string{"a@b", "a@b", "../../evil\n", ""} {
		r := &Record{ID: NewID(), Queue: "nightly", Submitter: from}
		if len(records) == 1 {
			r.After = now.Add(-time.Hour)
		}
		if err := errors.Join(s.Enqueue(r), s.Settle(r)); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	tickets, err := s.Tickets("nightly", "")
	if err != nil || len(tickets) != 3 {
		t.Fatalf("%v, %v", tickets, err)
	}
	mine := 0
	for _, list := range tickets {
		if len(list) == 2 {
			mine++
			if list[0].ID != records[0].ID || !list[1].Time.Equal(now.Add(-time.Hour)) {
				t.Errorf("%+v", list)
			}
		}
	}
	if mine != 1 {
		t.Errorf("%+v", tickets)
	}
	for _, r := range records {
		s.Dequeue(r)
	}
	if tickets, err := s.Tickets("nightly", ""); err != nil || len(tickets) != 0 {
		t.Errorf("%v, %v", tickets, err)
	}
	if tickets, err := s.Tickets("none", ""); err != nil || len(tickets) != 0 {
		t.Errorf("%v, %v", tickets, err)
	}
	for _, name := range []string{"", ".", "..", "a/b", "a b", "é", strings.Repeat("x", 65)} {
		if CheckQueue(name) == nil || s.Enqueue(&Record{ID: NewID(), Queue: name}) == nil {
			t.Errorf("%q is a queue", name)
		}
	}
}

func TestSlots(t *testing.T) {
	t.Parallel()
	s := open(t)
	if err := s.Enqueue(&Record{ID: NewID(), Queue: "q"}); err != nil {
		t.Fatal(err)
	}
	f, err := s.Slot("q", 0)
	if err != nil || f == nil {
		t.Fatal(f, err)
	}
	if again, err := s.Slot("q", 0); again != nil || err != nil {
		t.Errorf("taken twice: %v, %v", again, err)
	}
	f.Close()
	if f, err = s.Slot("q", 0); err != nil || f == nil {
		t.Errorf("not free: %v", err)
	} else {
		f.Close()
	}
	if _, err := s.Slot("q", MaxSlots); err == nil {
		t.Error("too many slots")
	}
}

func TestIdentifiers(t *testing.T) {
	t.Parallel()
	last := ""
	for range 1000 {
		id := NewID()
		if CheckID(id) != nil || id <= last {
			t.Fatalf("%s after %s", id, last)
		}
		last = id
	}
	for _, id := range []string{"", "..", strings.ToUpper(last), last[:25], last + "0", "8" + last[1:], "../../../../../etc/passwd..", last[:25] + "/"} {
		if CheckID(id) == nil {
			t.Errorf("%q is an identifier", id)
		}
	}
}
