//go:build linux

package job

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/session"
)

// output reads all that a job printed, by stream.
func output(t *testing.T, h *job.Handle, follow bool) map[string]string {
	t.Helper()
	got := map[string]string{}
	for p, err := range h.Output(short(t), job.Offset{}, follow) {
		if err != nil {
			t.Fatalf("output: %+v", err)
		}
		if age := time.Since(p.Time); age < -time.Hour || age > time.Hour {
			t.Errorf("a piece from %s", p.Time)
		}
		got[p.Stream.String()] += string(p.Data)
	}
	return got
}

// One program starts a job and ends; another one follows it, takes its result, typed, and acknowledges.
func TestStartedHereCollectedThere(t *testing.T) {
	everywhere(t, func(t *testing.T, c box.Courier) {
		ctx := short(t)
		name := strings.TrimPrefix(t.Name(), "TestStartedHereCollectedThere/")
		name = strings.ReplaceAll(name, "_", " ")
		id := another(t, "start-report", name+"|/etc/passwd")

		j, err := job.Attach[Report](ctx, c, id)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		got := output(t, &j.Handle, true)
		if got["stdout"] != "report on /etc/passwd\n" || got["stderr"] != "careful\n" || !strings.Contains(got["log"], `"msg":"halfway"`) {
			t.Errorf("output %q", got)
		}
		for range 2 {
			r, err := j.Wait(ctx)
			info, _ := os.Stat("/etc/passwd")
			if err != nil || r.Name != "/etc/passwd" || r.Sizes["/etc/passwd"] != info.Size() || !r.At.Equal(info.ModTime()) {
				t.Errorf("%+v, %+v", r, err)
			}
		}
		if i, err := j.Info(ctx); err != nil || i.Phase != job.Ended || i.Outcome != job.Returned || i.Attempts != 1 {
			t.Errorf("%+v, %v", i, err)
		}
		if err := j.Acknowledge(ctx); err != nil {
			t.Errorf("%+v", err)
		}
		if _, err := j.Wait(ctx); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("after it was acknowledged: %v", err)
		}

		id = another(t, "start-report", name+"|/no/such/file")
		if j, err = job.Attach[Report](ctx, c, id); err != nil {
			t.Fatalf("%+v", err)
		}
		_, err = j.Wait(ctx)
		var path *fs.PathError
		if !errors.Is(err, fs.ErrNotExist) || !errors.As(err, &path) || path.Path != "/no/such/file" {
			t.Errorf("%+v", err)
		}
		if i, err := j.Info(ctx); err != nil || i.Outcome != job.Failed || i.Error == "" {
			t.Errorf("%+v, %v", i, err)
		}
		if err := j.Acknowledge(ctx); err != nil {
			t.Error(err)
		}
	})
}

// The function is cancelled; its surroundings are those of the courier; it shows who it is.
func TestAJobThatRuns(t *testing.T) {
	everywhere(t, func(t *testing.T, c box.Courier) {
		ctx := short(t)
		j, err := job.Start(ctx, c, slow, time.Hour, job.Options{Name: "nap"})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if _, done, err := j.Poll(ctx); done || err != nil {
			t.Errorf("done %v, %v", done, err)
		}
		eventually(t, "it prints", func() bool { return output(t, &j.Handle, false)["stdout"] != "" })
		stats, err := j.Stats(ctx)
		if err != nil || stats.WorkerPID == 0 || stats.Processes < 1 || stats.RSS == 0 || stats.Suspended {
			t.Errorf("%+v, %+v", stats, err)
		}
		if err := j.Suspend(ctx); err != nil {
			t.Errorf("%+v", err)
		}
		if stats, err = j.Stats(ctx); err != nil || !stats.Suspended {
			t.Errorf("%+v, %+v", stats, err)
		}
		if err := j.Resume(ctx); err != nil {
			t.Errorf("%+v", err)
		}
		if dump, err := j.Dump(ctx); err != nil || !strings.Contains(dump, "beSlow") {
			t.Errorf("%.200q, %+v", dump, err)
		}
		if err := j.Acknowledge(ctx); !errors.Is(err, job.ErrNotEnded) {
			t.Errorf("%+v", err)
		}
		if err := j.Cancel(ctx); err != nil {
			t.Errorf("%+v", err)
		}
		got, err := j.Wait(ctx)
		if err == nil || !strings.Contains(err.Error(), "cancel") {
			t.Errorf("%q, %+v", got, err)
		}
		i, err := j.Info(ctx)
		if err != nil || i.Outcome != job.Cancelled || i.Name != "nap" || i.PID != j.PID || !strings.Contains(i.Submitter, "@") {
			t.Errorf("%+v, %v", i, err)
		}
		if err := j.Acknowledge(ctx); err != nil {
			t.Error(err)
		}
	})
}

func TestSurroundings(t *testing.T) {
	ctx := short(t)
	dir := t.TempDir()
	c := delivery.Once{Via: targetNamed("self").via, Dir: dir, Umask: 0o027, Env: []string{"JOB_TEST=yes"}}
	j, err := job.Start(ctx, c, where, 0)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	w, err := j.Wait(ctx)
	if err != nil || w.Dir != dir || w.Umask != 0o027 || w.Var != "yes" {
		t.Errorf("%+v, %+v", w, err)
	}
	_ = j.Acknowledge(ctx)
}

func TestHowJobsEnd(t *testing.T) {
	ctx := short(t)
	c := once(targetNamed("self").via)
	for _, how := range []string{"panic", "exit", "kill"} {
		j, err := job.Start(ctx, c, end, how)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		_, err = j.Wait(ctx)
		var remote *box.RemoteError
		if !errors.As(err, &remote) {
			t.Errorf("%s: %+v", how, err)
			continue
		}
		i, _ := j.Info(ctx)
		if i.Outcome != job.Crashed {
			t.Errorf("%s: %+v", how, i)
		}
		if how == "exit" && (remote.Kind != box.Exited || i.ExitCode != 3) || how == "panic" && remote.Kind != box.Panicked || how == "kill" && i.Signal != "SIGKILL" {
			t.Errorf("%s: %v, %+v", how, remote.Kind, i)
		}
		_ = j.Acknowledge(ctx)
	}
	j, err := job.Start(ctx, c, slow, time.Hour, job.Options{Timeout: 100 * time.Millisecond})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	_, err = j.Wait(ctx)
	if i, _ := j.Info(ctx); err == nil || i.Outcome != job.TimedOut {
		t.Errorf("%+v, %+v", err, i)
	}
	_ = j.Acknowledge(ctx)
}

func TestTries(t *testing.T) {
	ctx := short(t)
	c := once(targetNamed("self").via)
	j, err := job.Start(ctx, c, flaky, Flaky{t.TempDir(), 3}, job.Options{Tries: 5, Pause: time.Millisecond})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	n, err := j.Wait(ctx)
	if i, _ := j.Info(ctx); err != nil || n != 3 || i.Attempts != 3 {
		t.Errorf("%d, %+v, %+v", n, err, i)
	}
	if j, err = job.Start(ctx, c, flaky, Flaky{t.TempDir(), 9}, job.Options{Tries: 2}); err != nil {
		t.Fatalf("%+v", err)
	}
	if _, err := j.Wait(ctx); err == nil || !strings.Contains(err.Error(), "not yet") {
		t.Errorf("%+v", err)
	}
	if _, err := job.Start(ctx, c, slow, 0, job.Options{Tries: 2}); err == nil || !strings.Contains(err.Error(), "idempotent") {
		t.Errorf("tries of what may run once: %v", err)
	}
}

func TestFire(t *testing.T) {
	ctx := short(t)
	everywhere(t, func(t *testing.T, c box.Courier) {
		file := filepath.Join("/tmp", strings.ReplaceAll(t.Name(), "/", "_"))
		pid, err := job.Fire(ctx, c, quick, Note{File: file, Text: "fired"})
		if err != nil || pid <= 0 {
			t.Fatalf("%d, %+v", pid, err)
		}
		eventually(t, "the function has run", func() bool { _, err := os.Stat(file); return err == nil })
		eventually(t, "nothing is left of the job", func() bool {
			list, err := job.List(ctx, c)
			if err != nil {
				t.Fatal(err)
			}
			for _, i := range list {
				if i.PID == pid {
					return false
				}
			}
			return true
		})
	})
}

func TestOverASession(t *testing.T) {
	ctx := short(t)
	s, err := delivery.Open(ctx, targetNamed("self").via, session.Options{Only: []string{
		"slow", "deliveryboy.job.start", "deliveryboy.job.status", "deliveryboy.job.order", "deliveryboy.job.wait", "deliveryboy.job.free",
	}})
	if err != nil {
		t.Fatal(err)
	}
	j, err := job.Start(ctx, s, slow, time.Hour)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if _, err := job.Start(ctx, s, where, 0); err == nil || !strings.Contains(err.Error(), "may not start") {
		t.Errorf("a function that the session is not for: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("%+v", err)
	}
	again, err := job.Attach[string](ctx, once(targetNamed("self").via), j.ID)
	if err != nil {
		t.Fatal(err)
	}
	if i, err := again.Info(ctx); err != nil || i.Phase != job.Running {
		t.Errorf("after the session: %+v, %v", i, err)
	}
	if err := again.Cancel(ctx); err != nil {
		t.Error(err)
	}
	_, _ = again.Wait(ctx)
	_ = again.Acknowledge(ctx)
}

// What needs its caller is refused, with what to do; so is what nobody could carry out.
func TestWhatIsNoJob(t *testing.T) {
	ctx := short(t)
	c := once(targetNamed("self").via)
	_, err := job.Start(ctx, c, stream, nil)
	var packing *box.PackingError
	if !errors.As(err, &packing) || !strings.Contains(err.Error(), "arg 0, io.Reader") {
		t.Errorf("a reader: %v", err)
	}
	for want, o := range map[string]job.Options{
		"job id":       {ID: "../../etc"},
		"queue \"../x": {Queue: "../x"},
		"slots":        {Queue: "q", Slots: 5000},
		"Grace":        {Grace: time.Hour},
		"Timeout":      {Timeout: -1},
		"Output":       {Output: 5},
		"Tries":        {Tries: 1 << 20},
		"bytes":        {Name: strings.Repeat("x", 300)},
	} {
		if _, err := job.Start(ctx, c, where, 0, o); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", o, err, want)
		}
	}
	for _, id := range []string{"", "x", "../../../etc/passwd", strings.ToUpper(job.NewID()), job.NewID()} {
		if _, err := job.Attach[Where](ctx, c, id); err == nil || !strings.Contains(err.Error(), "job") {
			t.Errorf("%q: %v", id, err)
		}
	}
}

// A function of any type, and one that was ordered twice.
func TestUntyped(t *testing.T) {
	ctx := short(t)
	c := once(targetNamed("self").via)
	id := job.NewID()
	for range 2 {
		h, err := job.StartEntry(ctx, c, anyArgs.Entry(), []any{40, 2}, job.Options{ID: id})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		got, err := h.Results(ctx)
		if err != nil || len(got) != 1 || got[0] != 42 {
			t.Errorf("%v, %+v", got, err)
		}
	}
	if _, err := job.StartEntry(ctx, c, where.Entry(), []any{0}, job.Options{ID: id}); err == nil || !strings.Contains(err.Error(), "it runs any.args") {
		t.Errorf("another function under the same identifier: %v", err)
	}
	if _, err := job.Attach[string](ctx, c, id); err == nil || !strings.Contains(err.Error(), "returns") {
		t.Errorf("as another type: %v", err)
	}
	h, err := job.AttachHandle(ctx, c, id)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Forget(ctx); err != nil {
		t.Error(err)
	}
	if _, err := h.Info(ctx); !errors.Is(err, job.ErrNotFound) {
		t.Error(err)
	}
}

// A signal reaches the worker; a job that is forgotten while it runs goes away when it ends; a reader may leave.
func TestSignalAndForget(t *testing.T) {
	ctx := short(t)
	c := once(targetNamed("self").via)
	j, err := job.Start(ctx, c, count, Counting{Seed: 3, Lines: 100_000, Pause: time.Millisecond})
	if err != nil {
		t.Fatalf("%+v", err)
	}
	var at job.Offset
	n := 0
	for p, err := range j.Output(ctx, job.Offset{}, true) {
		if err != nil {
			t.Fatal(err)
		}
		if at = p.Next; n > 3 {
			break
		}
		n++
	}
	for p, err := range j.Output(ctx, at, true) { // where it left
		if err != nil || p.Dropped > 0 || !strings.HasPrefix(string(p.Data), "3 ") {
			t.Errorf("%+v, %v", p, err)
		}
		break
	}
	if err := j.Forget(ctx); err != nil {
		t.Error(err)
	}
	if i, err := j.Info(ctx); err != nil || i.Phase != job.Running {
		t.Errorf("%+v, %v", i, err)
	}
	if err := j.Signal(ctx, syscall.SIGTERM); err != nil {
		t.Errorf("%+v", err)
	}
	eventually(t, "it goes away", func() bool { _, err := j.Info(ctx); return errors.Is(err, job.ErrNotFound) })
	if err := j.Signal(ctx, syscall.SIGTERM); !errors.Is(err, job.ErrNotFound) {
		t.Errorf("%+v", err)
	}
}

// Of more output than there is room for, the newest part stays, or the oldest; how much is missing is known.
func TestOutputLimits(t *testing.T) {
	ctx := short(t)
	c := once(targetNamed("self").via)
	const lines, width = 4000, 1000
	for _, oldest := range []bool{false, true} {
		j, err := job.Start(ctx, c, count, Counting{Seed: 4, Lines: lines, Width: width}, job.Options{Output: 1 << 20, KeepOldest: oldest})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if _, err := j.Wait(ctx); err != nil {
			t.Fatalf("%+v", err)
		}
		var kept, missing, last int64
		var text strings.Builder
		for p, err := range j.Output(ctx, job.Offset{}, false) {
			if err != nil {
				t.Fatal(err)
			}
			kept, missing, last = kept+int64(len(p.Data)), missing+p.Dropped, p.Next.Data
			text.Write(p.Data)
		}
		total := int64(0)
		for n := range lines {
			total += int64(len(line(4, n)) + width + 1)
		}
		i, err := j.Info(ctx)
		const least = 500 << 10 // files of a quarter go as a whole, and the last one may have just begun
		if err != nil || kept+missing != total || last != total || i.Dropped != missing || kept > 1<<20 || kept < least {
			t.Errorf("oldest %v: %d bytes kept, %d missing, of %d; %+v; %v", oldest, kept, missing, total, i, err)
		}
		first, final := strings.HasPrefix(text.String(), line(4, 0)), strings.HasSuffix(strings.TrimSpace(text.String()), line(4, lines-1))
		if first != oldest || final == oldest {
			t.Errorf("oldest %v: the first line is there: %v, the last one: %v", oldest, first, final)
		}
		_ = j.Acknowledge(ctx)
	}
}

// What a job that is stopped, damaged, or of another program allows.
func TestOddJobs(t *testing.T) {
	ctx := short(t)
	c := once(targetNamed("self").via)
	j, err := job.Start(ctx, c, slow, time.Hour)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	if err := j.Suspend(ctx); err != nil { // right after the start: it waits for the worker
		t.Errorf("%+v", err)
	}
	if _, err := j.Dump(ctx); err == nil || !strings.Contains(err.Error(), "resume") {
		t.Errorf("a dump of a stopped worker: %v", err)
	}
	if err := j.Signal(ctx, 99); err == nil || !strings.Contains(err.Error(), "signal 99") {
		t.Errorf("%v", err)
	}
	if err := j.Signal(ctx, syscall.SIGKILL); err != nil {
		t.Errorf("%+v", err)
	}
	if _, err := j.Wait(ctx); err == nil {
		t.Error("killed while it was stopped: no error")
	}
	if err := j.Signal(ctx, syscall.SIGTERM); !errors.Is(err, job.ErrNotRunning) {
		t.Errorf("%+v", err)
	}
	for _, how := range []func(h *job.Handle) error{
		func(h *job.Handle) error { return h.Forget(ctx) },
		func(*job.Handle) error { _, err := job.Collect(ctx, c, job.Limits{Age: time.Nanosecond}); return err },
	} {
		bad, err := job.Start(ctx, c, where, 0)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		_, _ = bad.Wait(ctx)
		home, err := os.UserHomeDir()
		if err != nil {
			t.Fatal(err)
		}
		record := filepath.Join(home, ".local/state/deliveryboy/jobs", bad.ID, "record")
		eventually(t, "its keeper has ended", func() bool { // it writes the record last
			if err := os.Truncate(record, 30); err != nil {
				t.Fatal(err)
			}
			_, err := bad.Info(ctx)
			return errors.Is(err, job.ErrDamaged)
		})
		h, err := job.AttachHandle(ctx, c, bad.ID)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if err := how(h); err != nil {
			t.Errorf("%+v", err)
		}
		if _, err := bad.Info(ctx); !errors.Is(err, job.ErrNotFound) {
			t.Errorf("%+v", err)
		}
	}
}
