//go:build linux

package job

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job"
)

// Whoever is killed while a job is started: giving the order again has the job run once, and no job is said to have ended
// that has not.
func TestKilledWhileItStarts(t *testing.T) {
	st.NeedRoot(t)
	for _, victim := range []struct{ target, who string }{
		{"self", "caller"}, {"sudo", "caller"}, {"sudo", "sudo"}, {"ssh", "caller"}, {"ssh", "sshd"}, {"ssh then sudo", "sudo"}, {"ssh then sudo", "sshd"},
	} {
		t.Run(victim.target+"/"+victim.who, func(t *testing.T) {
			tg := targetNamed(victim.target)
			tg.need(t)
			begin := time.Now()
			startNote(t, tg, job.NewID(), "/tmp/unharmed", nil)
			whole := time.Since(begin)
			points := rounds(8)
			found, accepted := 0, 0
			for i := range points {
				id := job.NewID()
				file := "/tmp/note." + id
				if startNote(t, tg, id, file, func(pid int) {
					time.Sleep(whole * time.Duration(i) / time.Duration(points) * 12 / 10)
					killPart(t, pid, victim.who)
				}) {
					accepted++
				}
				c := once(tg.via)
				there, err := job.Attach[int](short(t), c, id)
				for deadline := time.Now().Add(90 * time.Second); err != nil && !errors.Is(err, job.ErrNotFound) && time.Now().Before(deadline); time.Sleep(time.Second) {
					there, err = job.Attach[int](short(t), c, id) // a shared connection may be about to end
				}
				if err == nil {
					found++
					if n := notes(t, c, file); n > 1 {
						t.Errorf("point %d: it ran %d times", i, n)
					}
					if in, err := there.Info(short(t)); err == nil && in.Outcome == job.Returned && notes(t, c, file) != 1 {
						t.Errorf("point %d: it is said to have returned, and did not run: %+v", i, in)
					}
				} else if !errors.Is(err, job.ErrNotFound) {
					t.Errorf("point %d: %+v", i, err)
				}
				j, err := job.Start(short(t), c, quick, Note{File: file, Text: id}, job.Options{ID: id})
				for deadline := time.Now().Add(90 * time.Second); err != nil && time.Now().Before(deadline); time.Sleep(time.Second) {
					j, err = job.Start(short(t), c, quick, Note{File: file, Text: id}, job.Options{ID: id})
				}
				if err != nil {
					t.Fatalf("point %d: again: %+v", i, err)
				}
				if _, err := j.Wait(short(t)); err != nil {
					t.Errorf("point %d: %+v", i, err)
				}
				if n := notes(t, c, file); n != 1 {
					t.Errorf("point %d: it ran %d times", i, n)
				}
				if err := j.Acknowledge(short(t)); err != nil {
					t.Errorf("point %d: %+v", i, err)
				}
			}
			t.Logf("killed at %d points of %s: %d callers had their answer, %d jobs were there", points, whole, accepted, found)
		})
	}
}

// startNote has another program start a job, has it disturbed, and reports whether it says that the job was started.
func startNote(t *testing.T, tg target, id, file string, disturb func(pid int)) bool {
	t.Helper()
	cmd := exec.CommandContext(short(t), "/proc/self/exe")
	cmd.Env = append(os.Environ(), "JOB_ROLE=start-note", "JOB_ARG="+tg.name+"|"+id+"|"+file)
	var out strings.Builder
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if disturb != nil {
		disturb(cmd.Process.Pid)
	}
	err := cmd.Wait()
	if disturb == nil && err != nil {
		t.Fatalf("the unharmed one: %v", err)
	}
	return strings.TrimSpace(out.String()) == id
}

// killPart kills the caller, or a part of its transport if it is there.
func killPart(t *testing.T, caller int, who string) {
	t.Helper()
	if who == "caller" {
		_ = syscall.Kill(caller, syscall.SIGKILL)
		return
	}
	list, err := st.Root.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		argv := strings.Join(p.Argv, " ")
		if len(p.Argv) > 0 && who == "sudo" && filepath.Base(p.Argv[0]) == "sudo" || who == "sshd" && strings.HasPrefix(argv, "sshd: "+st.User) {
			_ = st.Root.Kill(p.PID, syscall.SIGKILL)
		}
	}
}

// notes counts the lines of a file that a job writes, which may be another user's.
func notes(t *testing.T, c box.Courier, file string) int {
	t.Helper()
	data, err := readFile.On(c)(file)
	if errors.Is(err, os.ErrNotExist) {
		return 0
	}
	if err != nil {
		t.Fatalf("%+v", err)
	}
	return strings.Count(string(data), "\n")
}

// A keeper that is killed: its job is lost, and known to be within a second; nobody who follows hangs; all that it started
// is ended.
func TestKillingTheKeeper(t *testing.T) {
	st.NeedRoot(t)
	everywhere(t, func(t *testing.T, c box.Courier) {
		var lost, gone time.Duration
		for range rounds(3) {
			j, err := job.Start(short(t), c, breed, 0)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			ended, followed := make(chan error, 1), make(chan error, 1)
			go func() { _, err := j.Wait(short(t)); ended <- err }()
			begun := make(chan bool, 1)
			go func() {
				var last error
				for p, err := range j.Output(short(t), job.Offset{}, true) {
					if len(p.Data) > 0 {
						begun <- true
					}
					last = err
				}
				followed <- last
			}()
			select {
			case <-begun:
			case err := <-followed:
				t.Fatalf("following ended: %+v", err)
			}
			begin := time.Now()
			if err := st.Root.Kill(j.PID, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			var le *job.LostError
			if err := <-ended; !errors.As(err, &le) || le.Info.PID != j.PID {
				t.Errorf("%+v", err)
			}
			lost = max(lost, time.Since(begin))
			if err := <-followed; err != nil {
				t.Errorf("following: %+v", err)
			}
			gone = max(gone, st.WaitForSurvivors(t, 0, 5*time.Second, "kill -9 of the keeper"))
			if i, err := j.Info(short(t)); err != nil || i.Phase != job.Lost || i.Outcome != "" {
				t.Errorf("%+v, %+v", i, err)
			}
			if got := output(t, &j.Handle, false); !strings.HasPrefix(got["stdout"], "child ") {
				t.Errorf("its output: %q", got)
			}
			if err := j.Acknowledge(short(t)); err != nil {
				t.Error(err)
			}
		}
		t.Logf("known to be lost after at most %s, everything gone after %s more", lost, gone)
		if lost > 5*time.Second {
			t.Errorf("it took %s to notice", lost)
		}
	})
}

// Whoever else is killed while a job runs: the keeper says what happened.
func TestKillingTheWorker(t *testing.T) {
	st.NeedRoot(t)
	everywhere(t, func(t *testing.T, c box.Courier) {
		for _, who := range []string{"worker", "guardian"} {
			j, err := job.Start(short(t), c, breed, 0)
			if err != nil {
				t.Fatalf("%+v", err)
			}
			eventually(t, "it prints", func() bool { return output(t, &j.Handle, false)["stdout"] != "" })
			stats, err := j.Stats(short(t))
			if err != nil {
				t.Fatal(err)
			}
			pid := stats.WorkerPID
			if who == "guardian" {
				list, err := st.Root.Processes()
				if err != nil {
					t.Fatal(err)
				}
				for _, p := range list {
					if p.PID == stats.WorkerPID {
						pid = p.PPID
					}
				}
				if pid == j.PID {
					t.Fatal("the worker has no guardian")
				}
			}
			if err := st.Root.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if _, err := j.Wait(short(t)); err == nil {
				t.Errorf("%s: no error", who)
			}
			if i, err := j.Info(short(t)); err != nil || i.Phase != job.Ended || i.Outcome != job.Crashed && i.Outcome != job.Broken {
				t.Errorf("%s: %+v, %v", who, i, err)
			}
			st.WaitForSurvivors(t, 0, 5*time.Second, "kill -9 of the "+who)
			_ = j.Acknowledge(short(t))
		}
	})
}

// Another user sees nothing of a job, in the words that tell that there is none.
func TestAnotherUser(t *testing.T) {
	st.NeedSudo(t)
	mine, root := once(targetNamed("self").via), once(targetNamed("sudo").via)
	j, err := job.Start(short(t), root, slow, time.Hour)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	_, foreign := job.Attach[string](short(t), mine, j.ID)
	none := job.NewID()
	_, missing := job.Attach[string](short(t), mine, none)
	if foreign == nil || missing == nil || foreign.Error() != strings.ReplaceAll(missing.Error(), none, j.ID) {
		t.Errorf("%v; %v", foreign, missing)
	}
	if list, err := job.List(short(t), mine); err != nil || len(list) > 0 {
		for _, i := range list {
			if i.ID == j.ID {
				t.Error("it is listed")
			}
		}
	}
	if _, err := os.ReadDir("/var/lib/deliveryboy"); !errors.Is(err, os.ErrPermission) {
		t.Errorf("root's store: %v", err)
	}
	_ = j.Cancel(short(t))
	_, _ = j.Wait(short(t))
	_ = j.Acknowledge(short(t))
}
