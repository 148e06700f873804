//go:build linux

package job

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/internal/proctree"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

func jobDir(t *testing.T, id string) string {
	t.Helper()
	return filepath.Join(st.Home, ".local/state/deliveryboy/jobs", id)
}

// slotKeepers are the processes that work on a queue.
func slotKeepers(t *testing.T, queue string) (pids []int) {
	t.Helper()
	list, err := st.Root.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if len(p.Argv) == 6 && p.Argv[1] == "__keep" && p.Argv[4] == queue && p.State != "Z" {
			pids = append(pids, p.PID)
		}
	}
	return pids
}

func isAlive(pid int) bool {
	s, ok := proctree.StatOf(pid)
	return ok && s.State != 'Z'
}

// Many give one order under one name at once: it runs once, and stays where everybody finds it.
func TestOneOrderManyTimes(t *testing.T) {
	const workers = 6
	var sessions []*session.Session
	for range workers {
		s, err := delivery.Open(t.Context(), transport.Self{}, session.Options{Stdout: os.Stderr})
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		sessions = append(sessions, s)
	}
	dir := t.TempDir()
	for round := range rounds(20) {
		id := job.NewID()
		note := Note{File: filepath.Join(dir, id), Text: id, Pause: 20 * time.Millisecond}
		started, unsure := 0, 0
		var mu sync.Mutex
		var work sync.WaitGroup
		for _, s := range sessions {
			work.Go(func() {
				_, err := job.Start(short(t), s, quick, note, job.Options{ID: id})
				mu.Lock()
				defer mu.Unlock()
				var se *job.StartError
				switch {
				case err == nil:
					started++
				case errors.As(err, &se) && se.ID == id:
					unsure++
				default:
					t.Errorf("round %d: %+v", round, err)
				}
			})
		}
		work.Wait()
		j, err := job.Attach[int](short(t), sessions[0], id)
		if err != nil {
			t.Fatalf("round %d: %d started, %d unsure: %+v", round, started, unsure, err)
		}
		if _, err := j.Wait(short(t)); err != nil {
			t.Errorf("round %d: %+v", round, err)
		}
		data, err := os.ReadFile(note.File)
		if n := strings.Count(string(data), "\n"); err != nil || n != 1 {
			t.Errorf("round %d: it ran %d times, %v", round, n, err)
		}
		if err := j.Acknowledge(short(t)); err != nil {
			t.Errorf("round %d: %+v", round, err)
		}
	}
}

// A job whose directory somebody takes away ends, and its keeper with it.
func TestTheDirectoryIsGone(t *testing.T) {
	j, err := job.Start(short(t), once(transport.Self{}), slow, 100*time.Millisecond)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := os.RemoveAll(jobDir(t, j.ID)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "its keeper has ended", func() bool { return !isAlive(j.PID) })
}

// A good result is not thrown away because it cannot be written at once.
func TestTheResultHasToWait(t *testing.T) {
	c := once(transport.Self{})
	j, err := job.Start(short(t), c, slow, 300*time.Millisecond)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	eventually(t, "it prints", func() bool { return output(t, &j.Handle, false)["stdout"] != "" })
	if err := os.Chmod(jobDir(t, j.ID), 0); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the function has returned", func() bool { return len(proctree.Below(j.PID, nil)) == 0 })
	if err := os.Chmod(jobDir(t, j.ID), 0o700); err != nil {
		t.Fatal(err)
	}
	if got, err := j.Wait(short(t)); err != nil || got != "done" {
		t.Errorf("%q, %+v", got, err)
	}
	_ = j.Acknowledge(short(t))
}

// What a keeper left that was killed before the function began is in nobody's way.
func TestLeftovers(t *testing.T) {
	c := once(transport.Self{})
	first, err := job.Start(short(t), c, slow, 200*time.Millisecond, job.Options{Queue: "left"})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	j, err := job.Start(short(t), c, slow, time.Millisecond, job.Options{Queue: "left"})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := os.WriteFile(filepath.Join(jobDir(t, j.ID), "out.0000000000000000.0000000000000000"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, h := range []*job.Job[string]{first, j} {
		if _, err := h.Wait(short(t)); err != nil {
			t.Errorf("%+v", err)
		}
		_ = h.Acknowledge(short(t))
	}
}

// A function that kills its worker and its guardian at once leaves nothing: the keeper sees to that.
func TestKillingBoth(t *testing.T) {
	st.NeedRoot(t)
	c := once(transport.Self{})
	j, err := job.Start(short(t), c, killBoth, 0)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if _, err := j.Wait(short(t)); err == nil {
		t.Error("no error")
	}
	st.WaitForSurvivors(t, 0, 5*time.Second, "a function that killed both")
	if i, err := j.Info(short(t)); err != nil || i.Outcome != job.Crashed {
		t.Errorf("%+v, %v", i, err)
	}
	_ = j.Acknowledge(short(t))
}

// One job that is to run later has one process wait for it, however many slots there are; asking how far jobs are is
// enough to have the queue worked on.
func TestOneWaits(t *testing.T) {
	c := once(transport.Self{})
	later, err := job.Start(short(t), c, slow, time.Second, job.Options{Queue: "one", Slots: 100, After: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	if _, err := later.Wait(ctx); err == nil {
		t.Error("it ran")
	}
	if pids := slotKeepers(t, "one"); len(pids) != 1 {
		t.Errorf("%d processes wait", len(pids))
	}
	now, err := job.Start(short(t), c, slow, time.Millisecond, job.Options{Queue: "one", Slots: 100})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	eventually(t, "one that is due has run", func() bool { _, done, err := now.Poll(short(t)); return done && err == nil })
	for _, pid := range slotKeepers(t, "one") {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
	again, err := job.Start(short(t), c, slow, time.Millisecond, job.Options{Queue: "one", Slots: 1})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	eventually(t, "whoever was killed is replaced", func() bool { _, done, err := again.Poll(short(t)); return done && err == nil })
	if err := later.Cancel(short(t)); err != nil {
		t.Errorf("%+v", err)
	}
	eventually(t, "nobody waits any more", func() bool { return len(slotKeepers(t, "one")) == 0 })
	for _, h := range []*job.Job[string]{later, now, again} {
		_ = h.Acknowledge(short(t))
	}
}

// Each job of a queue has the surroundings of its own courier, whoever started the process that keeps it.
func TestSurroundingsInAQueue(t *testing.T) {
	dir := t.TempDir()
	a := delivery.Once{Via: transport.Self{}, Dir: dir, Umask: 0o027, Env: []string{"JOB_TEST=a", "TZ=Asia/Tokyo"}, Nice: 5, Stdout: os.Stderr}
	b := once(transport.Self{})
	first, err := job.Start(short(t), b, slow, 300*time.Millisecond, job.Options{Queue: "around"})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	ja, err := job.Start(short(t), a, where, 0, job.Options{Queue: "around"})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	jb, err := job.Start(short(t), b, where, 0, job.Options{Queue: "around"})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if w, err := ja.Wait(short(t)); err != nil || w.Dir != dir || w.Umask != 0o027 || w.Var != "a" || w.Zone != "Asia/Tokyo" || w.Nice != 5 {
		t.Errorf("%+v, %v", w, err)
	}
	if w, err := jb.Wait(short(t)); err != nil || w.Dir != "/" || w.Umask != 0o077 || w.Var != "" || w.Zone != "" || w.Nice != 0 {
		t.Errorf("%+v, %v", w, err)
	}
	_, _ = first.Wait(short(t))
	_, _, _ = first.Acknowledge(short(t)), ja.Acknowledge(short(t)), jb.Acknowledge(short(t))
}
