package stage

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Leftover is what functions under test start to see whether it is killed; no other program of a stage is called so.
var Leftover = []string{"sleep", "1000"}

// Survivors are the workers and guardians of this program, and the leftovers of their functions, that are still there.
// A zombie is not.
func (s *Stage) Survivors() ([]Process, error) {
	list, err := s.Root.Processes()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, p := range list {
		worker := len(p.Argv) > 1 && strings.HasPrefix(p.Argv[0], s.Binary) && slices.Contains(p.Argv, "__deliver")
		if p.State != "Z" && (worker || leftover(p)) {
			found = append(found, p)
		}
	}
	return found, nil
}

// leftover reports whether a function under test started the process: the sleep itself, or a shell around it.
func leftover(p Process) bool {
	argv := strings.Join(p.Argv, " ")
	return (strings.HasPrefix(argv, "sleep ") || strings.HasPrefix(argv, "sh -c ")) && strings.Contains(argv, strings.Join(Leftover, " "))
}

// Sweep kills what functions left, where nobody else can: nobody watched over a worker that was killed.
func (s *Stage) Sweep() error {
	for range 100 { // a shell may be in the middle of starting another
		left, err := s.Survivors()
		if len(left) == 0 || err != nil {
			return err
		}
		for _, p := range left {
			if err := s.Root.Kill(p.PID, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
				return err
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return errors.New("stage: more and more processes are left")
}

// WaitForSurvivors waits until there are at most n survivors, and returns how long that took. After the limit the test
// ends, with the process table.
func (s *Stage) WaitForSurvivors(t TB, n int, limit time.Duration, after string) time.Duration {
	t.Helper()
	begin := time.Now()
	for {
		left, err := s.Survivors()
		if err != nil {
			t.Fatal(err)
		}
		took := time.Since(begin)
		if len(left) <= n {
			return took
		}
		if took > limit {
			all, _ := s.Root.Processes()
			_ = s.Sweep() // the tests after this one are about something else
			t.Fatal(fmt.Sprintf("%s: still there after %s:\n%sall processes:\n%s", after, limit, tableOf(left), tableOf(all)))
		}
		time.Sleep(3 * time.Millisecond)
	}
}

// Children are the children of a process whose program has one of the names; of all programs if there are none.
func (s *Stage) Children(parent int, names ...string) ([]Process, error) {
	list, err := s.Root.Processes()
	if err != nil {
		return nil, err
	}
	var found []Process
	for _, p := range list {
		if p.PPID != parent || p.State == "Z" || len(p.Argv) == 0 {
			continue
		}
		for _, name := range names {
			if filepath.Base(p.Argv[0]) == name {
				found = append(found, p)
			}
		}
		if len(names) == 0 {
			found = append(found, p)
		}
	}
	return found, nil
}

func tableOf(list []Process) string {
	var b strings.Builder
	for _, p := range list {
		fmt.Fprintf(&b, "  %d of %d (uid %d, %s) %.120s\n", p.PID, p.PPID, p.UID, p.State, strings.Join(p.Argv, " "))
	}
	return b.String()
}
