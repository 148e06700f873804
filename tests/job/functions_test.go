//go:build linux

package job

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// The functions that run as jobs.
var (
	report   = registry.Register("report", writeReport)
	slow     = registry.Register("slow", beSlow)
	count    = registry.Register("count", countUp)
	where    = registry.Register("where", whereAmI)
	quick    = registry.Register("quick", noteDown)
	flaky    = registry.Register("flaky", failAtFirst, registry.Rules{Idempotent: true})
	insist   = registry.Register("insist", insistUntil, registry.Rules{Idempotent: true})
	end      = registry.Register("end", endIn)
	breed    = registry.Register("breed", leaveChildren)
	stream   = registry.Register("stream", func(context.Context, io.Reader) (int, error) { return 0, nil })
	anyArgs  = registry.Register("any.args", func(a, b int) int { return a + b })
	killBoth = registry.Register("kill.both", endBoth)
	readFile = registry.Register("read.file", os.ReadFile)
)

// Report is a result with several kinds of fields.
type Report struct {
	Name  string
	Lines int
	Took  time.Duration
	At    time.Time
	Sizes map[string]int64
}

func writeReport(ctx context.Context, name string) (Report, error) {
	fmt.Println("report on", name)
	fmt.Fprintln(os.Stderr, "careful")
	slog.InfoContext(ctx, "halfway", "name", name)
	info, err := os.Stat(name)
	if err != nil {
		return Report{}, err
	}
	return Report{Name: name, Lines: 3, Took: 42 * time.Millisecond, At: info.ModTime().UTC(), Sizes: map[string]int64{name: info.Size()}}, nil
}

// beSlow runs until it is cancelled, or for so long.
func beSlow(ctx context.Context, d time.Duration) (string, error) {
	fmt.Println("begun", os.Getpid())
	select {
	case <-time.After(d):
		return "done", nil
	case <-ctx.Done():
		return "stopped", context.Cause(ctx)
	}
}

// countUp prints numbered lines with checksums, until it has printed so many; a pause between them may be asked for.
func countUp(ctx context.Context, o Counting) (int, error) {
	for i := range o.Lines {
		fmt.Println(line(o.Seed, i) + strings.Repeat(" ", o.Width))
		if o.Pause > 0 {
			select {
			case <-time.After(o.Pause):
			case <-ctx.Done():
				return i, context.Cause(ctx)
			}
		}
	}
	return o.Lines, nil
}

// Counting is what countUp does.
type Counting struct {
	Seed, Lines int
	Pause       time.Duration
	Width       int // spaces behind each
}

func line(seed, i int) string {
	text := fmt.Sprintf("%d %d ", seed, i)
	return fmt.Sprintf("%s%08x", text, crc32.ChecksumIEEE([]byte(text)))
}

// Where is the surroundings of a job.
type Where struct {
	UID, PID, PPID, Umask, Nice int
	Dir, Var, Zone              string
}

func whereAmI(context.Context, int) (Where, error) {
	dir, err := os.Getwd()
	w := Where{UID: os.Getuid(), PID: os.Getpid(), PPID: os.Getppid(), Dir: dir, Var: os.Getenv("JOB_TEST"), Zone: os.Getenv("TZ")}
	prio, _ := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
	w.Nice = 20 - prio
	status, _ := os.ReadFile("/proc/self/status")
	if _, after, ok := bytes.Cut(status, []byte("Umask:")); ok {
		_, _ = fmt.Sscanf(string(after), "%o", &w.Umask)
	}
	return w, err
}

// noteDown appends to a file, so that somebody can count.
func noteDown(_ context.Context, n Note) (int, error) {
	f, err := os.OpenFile(n.File, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	_, err = fmt.Fprintln(f, n.Text)
	if n.Pause > 0 {
		time.Sleep(n.Pause)
	}
	return len(n.Text), err
}

// Note is what noteDown notes.
type Note struct {
	File, Text string
	Pause      time.Duration
}

var errNotYet = errors.New("not yet")

// failAtFirst fails until it was called so often.
func failAtFirst(_ context.Context, f Flaky) (int, error) {
	runs, err := filepath.Glob(filepath.Join(f.Dir, "run.*"))
	if err != nil {
		return 0, err
	}
	mark, err := os.CreateTemp(f.Dir, "run.")
	if err != nil {
		return 0, err
	}
	mark.Close()
	if n := len(runs) + 1; n < f.Good {
		return n, errNotYet
	}
	return len(runs) + 1, nil
}

// Flaky is from which call on failAtFirst is good.
type Flaky struct {
	Dir  string
	Good int
}

// insistUntil is failAtFirst, and each of its runs says so in a file run.N, and ends when there is a file go.N.
func insistUntil(ctx context.Context, f Flaky) (int, error) {
	n := 1
	for ; ; n++ {
		mark, err := os.OpenFile(filepath.Join(f.Dir, fmt.Sprint("run.", n)), os.O_CREATE|os.O_EXCL, 0o600)
		if err == nil {
			mark.Close()
			break
		}
		if !errors.Is(err, os.ErrExist) {
			return 0, err
		}
	}
	if err := appears(ctx, filepath.Join(f.Dir, fmt.Sprint("go.", n))); err != nil {
		return 0, err
	}
	if n < f.Good {
		return n, errNotYet
	}
	return n, nil
}

// appears waits until there is a file.
func appears(ctx context.Context, name string) error {
	for {
		if _, err := os.Lstat(name); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s does not appear: %w", name, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// endIn ends in one of the ways there are.
func endIn(_ context.Context, how string) (int, error) {
	switch how {
	case "panic":
		panic("oh no")
	case "exit":
		os.Exit(3)
	case "kill":
		p, _ := os.FindProcess(os.Getpid())
		_ = p.Kill()
		select {}
	}
	return 0, errors.New("no such end")
}

// leaveChildren starts a child in a session of its own, and does not listen when it is cancelled.
func leaveChildren(context.Context, int) (int, error) {
	cmd := exec.Command("setsid", stage.Leftover...)
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	fmt.Println("child", cmd.Process.Pid)
	time.Sleep(time.Hour)
	return 0, nil
}

// endBoth leaves a process behind, and kills its guardian and itself with one blow.
func endBoth(context.Context, int) (int, error) {
	if err := exec.Command("setsid", stage.Leftover...).Start(); err != nil {
		return 0, err
	}
	_ = exec.Command("kill", "-9", strconv.Itoa(os.Getppid()), strconv.Itoa(os.Getpid())).Run()
	select {}
}
