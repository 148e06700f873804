//go:build linux

package job

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Many jobs print numbered lines with checksums at once: whoever attaches sees all of them.
func TestManyRunningJobs(t *testing.T) {
	jobs := sized(50, 200)
	lines, pause := sized(50, 150), time.Duration(sized(20, 100))*time.Millisecond
	s, err := delivery.Open(t.Context(), transport.Self{}, session.Options{Stdout: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	ids := make([]string, jobs)
	for i := range ids {
		j, err := job.Start(t.Context(), s, count, Counting{Seed: i, Lines: lines, Pause: pause})
		if err != nil {
			t.Fatalf("job %d: %+v", i, err)
		}
		ids[i] = j.ID
	}
	begin := time.Now()
	list := must(job.List(t.Context(), s))
	running := 0
	for _, i := range list {
		if i.Phase == job.Running {
			running++
		}
	}
	var first, all sync.WaitGroup
	for i, id := range ids {
		first.Add(1)
		all.Go(func() {
			j, err := job.Attach[int](t.Context(), s, id)
			if err != nil {
				first.Done()
				t.Errorf("job %d: %+v", i, err)
				return
			}
			var text strings.Builder
			begun := false
			for p, err := range j.Output(t.Context(), job.Offset{}, true) {
				if err != nil {
					t.Errorf("job %d: %+v", i, err)
				}
				if !begun {
					begun = true
					first.Done()
				}
				text.Write(p.Data)
			}
			if !begun {
				first.Done()
			}
			got := strings.Split(strings.TrimSuffix(text.String(), "\n"), "\n")
			if len(got) != lines {
				t.Errorf("job %d: %d lines of %d", i, len(got), lines)
			}
			for n, l := range got {
				if l != line(i, n) {
					t.Errorf("job %d: line %d is %q", i, n, l)
					break
				}
			}
			if n, err := j.Wait(t.Context()); err != nil || n != lines {
				t.Errorf("job %d: %d, %+v", i, n, err)
			}
			if err := j.Acknowledge(t.Context()); err != nil {
				t.Errorf("job %d: %+v", i, err)
			}
		})
	}
	first.Wait()
	t.Logf("%d running; attached to all %d after %s", running, jobs, time.Since(begin))
	all.Wait()
}

// A queue runs every job once, no more of them at a time than it has slots, and lets submitters take turns.
func TestQueue(t *testing.T) {
	const slots = 4
	jobs, submitters := sized(400, 10_000), 4
	dir := t.TempDir()
	file := filepath.Join(dir, "notes")
	s, err := delivery.Open(t.Context(), transport.Self{}, session.Options{Stdout: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	begin := time.Now()
	var work sync.WaitGroup
	ids := make([][]string, submitters)
	for sub := range submitters {
		work.Go(func() {
			for i := range jobs / submitters {
				j, err := job.Start(t.Context(), s, quick, Note{File: file, Text: fmt.Sprintf("%d %d", sub, i)},
					job.Options{Queue: "load", Slots: slots, Submitter: fmt.Sprint("submitter ", sub), Keep: time.Hour})
				if err != nil {
					t.Errorf("job %d: %+v", i, err)
					return
				}
				ids[sub] = append(ids[sub], j.ID)
			}
		})
	}
	work.Wait()
	submitted := time.Since(begin)
	rss := keepersMemory(t)
	last, err := job.Attach[int](t.Context(), s, ids[0][len(ids[0])-1])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := last.Wait(t.Context()); err != nil {
		t.Errorf("%+v", err)
	}
	for done := 0; done < jobs; time.Sleep(50 * time.Millisecond) {
		data, _ := os.ReadFile(file)
		if done = strings.Count(string(data), "\n"); time.Since(begin) > 10*time.Minute {
			t.Fatalf("%d of %d jobs have run", done, jobs)
		}
	}
	drained := time.Since(begin)
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	lines := strings.Split(strings.TrimSpace(string(data)), "\n")
	for _, l := range lines {
		seen[l]++
	}
	for l, n := range seen {
		if n != 1 {
			t.Errorf("%s ran %d times", l, n)
		}
	}
	if len(seen) != jobs {
		t.Errorf("%d jobs ran, of %d", len(seen), jobs)
	}
	// In the first half, each submitter had about its share: a queue that is not fair would have served the first one alone.
	share := map[string]int{}
	for _, l := range lines[jobs/4 : jobs/2] {
		share[strings.Fields(l)[0]]++
	}
	for sub := range submitters {
		if n := share[fmt.Sprint(sub)]; n < jobs/4/submitters/3 {
			t.Errorf("submitter %d had %d of %d turns", sub, n, jobs/4)
		}
	}
	t.Logf("%d jobs: submitted in %s, all had run after %s; memory of all keepers %d MiB; turns %v", jobs, submitted, drained, rss>>20, share)
	eventually(t, "all are known to have ended", func() bool {
		ended := 0
		for _, i := range must(job.List(t.Context(), s)) {
			if i.Queue == "load" && i.Outcome == job.Returned && i.Attempts == 1 {
				ended++
			}
		}
		return ended == jobs
	})
	c, err := job.Collect(t.Context(), s, job.Limits{Count: 10})
	if err != nil || c.Jobs < jobs-10 || c.Left > 20 {
		t.Errorf("%+v, %v", c, err)
	}
	if c, err = job.Collect(t.Context(), s, job.Limits{Age: time.Nanosecond}); err != nil || c.Left > 10 {
		t.Errorf("%+v, %v", c, err)
	}
}

// keepersMemory is the resident memory of all keepers and their workers.
func keepersMemory(t *testing.T) (total int64) {
	t.Helper()
	list, err := st.Root.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		if len(p.Argv) > 2 && p.Argv[1] == "__keep" {
			text, err := st.Root.ReadFile(fmt.Sprintf("/proc/%d/statm", p.PID))
			var size, rss int64
			if _, scan := fmt.Sscan(string(text), &size, &rss); err == nil && scan == nil {
				total += rss * int64(os.Getpagesize())
			}
		}
	}
	return total
}

// The slots of a queue are all filled, and no more; a keeper that is killed is replaced.
func TestSlots(t *testing.T) {
	c := once(transport.Self{})
	const slots = 3
	var jobs []*job.Job[string]
	for range 6 {
		j, err := job.Start(short(t), c, slow, time.Hour, job.Options{Queue: "slots", Slots: slots})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		jobs = append(jobs, j)
	}
	running := func() (n int) {
		for _, i := range must(job.List(short(t), c)) {
			if i.Queue == "slots" && i.Phase == job.Running {
				n++
			}
		}
		return n
	}
	eventually(t, "as many run as there are slots", func() bool { return running() == slots })
	i, err := jobs[0].Info(short(t))
	if err != nil || i.Phase != job.Running {
		t.Fatalf("%+v, %v", i, err)
	}
	if err := jobs[5].Cancel(short(t)); err != nil { // it waits
		t.Errorf("%+v", err)
	}
	if _, err := jobs[5].Wait(short(t)); err == nil || !strings.Contains(err.Error(), "before it began") {
		t.Errorf("%+v", err)
	}
	if err := st.Root.Kill(i.PID, 9); err != nil {
		t.Fatal(err)
	}
	eventually(t, "it is lost", func() bool { i, _ := jobs[0].Info(short(t)); return i.Phase == job.Lost })
	go func() { _, _ = jobs[3].Wait(t.Context()) }() // who waits sees to it that somebody works
	eventually(t, "another one has its slot", func() bool { return running() == slots })
	for _, j := range jobs[1:5] {
		_ = j.Cancel(short(t))
	}
	for _, j := range jobs[1:5] {
		eventually(t, "it ends", func() bool {
			_ = j.Cancel(short(t))
			i, err := j.Info(short(t))
			return err == nil && (i.Phase == job.Ended || i.Phase == job.Lost)
		})
	}
	for _, j := range jobs {
		if err := j.Acknowledge(short(t)); err != nil {
			t.Errorf("%+v", err)
		}
	}
}

// A job that is to run later does, and can be cancelled before; so with a queue.
func TestLater(t *testing.T) {
	c := once(transport.Self{})
	for _, queue := range []string{"", "later"} {
		at := time.Now().Add(700 * time.Millisecond)
		j, err := job.Start(short(t), c, where, 0, job.Options{After: at, Queue: queue})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		never, err := job.Start(short(t), c, where, 0, job.Options{After: at.Add(time.Hour), Queue: queue})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if i, err := j.Info(short(t)); err != nil || i.Phase != job.Waiting && time.Now().Before(at) {
			t.Errorf("%+v, %v", i, err)
		}
		if _, err := j.Wait(short(t)); err != nil {
			t.Errorf("%+v", err)
		}
		if i, err := j.Info(short(t)); err != nil || i.Began.Before(at) {
			t.Errorf("%s: %+v, %v", at, i, err)
		}
		if err := never.Cancel(short(t)); err != nil {
			t.Errorf("%+v", err)
		}
		if _, err := never.Wait(short(t)); err == nil {
			t.Error("it ran")
		}
		_ = j.Acknowledge(short(t))
		_ = never.Acknowledge(short(t))
	}
}
