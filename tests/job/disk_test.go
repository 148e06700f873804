//go:build linux

package job

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A disk that takes no more refuses jobs before they start, and takes them again when there is room; what runs goes on.
// Each kind has its own file system, in a namespace of another process.
func TestDisks(t *testing.T) {
	for _, kind := range []string{"space", "inodes", "readonly", "running", "tries"} {
		t.Run(kind, func(t *testing.T) {
			cmd := exec.CommandContext(short(t), "/proc/self/exe")
			cmd.Env = append(os.Environ(), "JOB_ROLE=full-disk", "JOB_ARG=self|"+kind)
			cmd.SysProcAttr = &syscall.SysProcAttr{
				Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNS,
				UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
				GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
			}
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Errorf("%v\n%s", err, out)
			}
			t.Logf("%s", out)
		})
	}
}

// A disk is a small file system with the job store on it.
type disk struct {
	dir     string
	courier delivery.Once
	ctx     context.Context
	marks   string // where functions leave marks, on another disk
}

func playFullDisk(kind string) int {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d := &disk{ctx: ctx, dir: must(os.MkdirTemp("", "disk")), marks: must(os.MkdirTemp("", "marks"))}
	mount := "size=1m"
	if kind == "running" {
		mount = "size=3m"
	}
	if err := unix.Mount("disk", d.dir, "tmpfs", 0, mount+",nr_inodes=64"); err != nil {
		fmt.Println("mount:", err)
		return 1
	}
	state := filepath.Join(d.dir, "state")
	d.courier = delivery.Once{Via: transport.Self{}, Env: []string{"XDG_STATE_HOME=" + state}, Stdout: os.Stderr}
	play := map[string]func() error{"space": d.noSpace, "inodes": d.noInodes, "readonly": d.readOnly, "running": d.running, "tries": d.tries}[kind]
	if err := play(); err != nil {
		fmt.Printf("%+v\n", err)
		return 1
	}
	return 0
}

// works starts a job and waits for its end.
func (d *disk) works() error {
	j, err := job.Start(d.ctx, d.courier, quick, Note{File: filepath.Join(d.marks, "good"), Text: "x"})
	if err != nil {
		return fmt.Errorf("with room: %w", err)
	}
	if _, err := j.Wait(d.ctx); err != nil {
		return err
	}
	return j.Acknowledge(d.ctx)
}

// refuses starts jobs, directly and by a queue, that must be refused with an error, and must not run.
func (d *disk) refuses(want error) error {
	before := must(job.List(d.ctx, d.courier))
	for i, o := range []job.Options{{}, {Queue: "q"}} {
		mark := filepath.Join(d.marks, fmt.Sprint("bad", i))
		_, err := job.Start(d.ctx, d.courier, quick, Note{File: mark, Text: "x"}, o)
		if !errors.Is(err, job.ErrFull) || !errors.Is(err, want) {
			return fmt.Errorf("%d: a full disk: %w", i, err)
		}
		fmt.Println("refused:", err)
		if _, err := os.Stat(mark); err == nil {
			return errors.New("the function ran")
		}
	}
	if after, err := job.List(d.ctx, d.courier); err != nil || len(after) != len(before) {
		return fmt.Errorf("%d jobs before, %d after: %w", len(before), len(after), err)
	}
	dirs, err := os.ReadDir(filepath.Join(d.dir, "state", "deliveryboy", "jobs"))
	if err != nil || len(dirs) != len(before) {
		return fmt.Errorf("a part of a job is left: %v, %w", dirs, err)
	}
	return nil
}

// fill takes all the room there is.
func (d *disk) fill() (free func(), err error) {
	name := filepath.Join(d.dir, "filler")
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	for size := 64 << 10; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
	return func() { _ = os.Remove(name) }, nil
}

func (d *disk) noSpace() error {
	if err := d.works(); err != nil {
		return err
	}
	free, err := d.fill()
	if err != nil {
		return err
	}
	if err := d.refuses(syscall.ENOSPC); err != nil {
		return err
	}
	free()
	return d.works()
}

func (d *disk) noInodes() error {
	if err := d.works(); err != nil {
		return err
	}
	first, err := job.Start(d.ctx, d.courier, quick, Note{File: filepath.Join(d.marks, "first"), Text: "x"}, job.Options{Queue: "q"})
	if err != nil {
		return err
	}
	if _, err := first.Wait(d.ctx); err != nil {
		return err
	}
	if err := first.Acknowledge(d.ctx); err != nil {
		return err
	}
	var names []string
	for i := 0; ; i++ {
		name := filepath.Join(d.dir, fmt.Sprint("filler", i))
		f, err := os.Create(name)
		if err != nil {
			break
		}
		f.Close()
		names = append(names, name)
	}
	if err := d.refuses(syscall.ENOSPC); err != nil {
		return err
	}
	// With one more each time, until there are enough: it is refused or it works, and nothing between. One that waits needs
	// fewer than one that runs: it waits until there is room.
	var waits *job.Job[int]
	for _, name := range names {
		if waits == nil {
			waits, _ = job.Start(d.ctx, d.courier, quick, Note{File: filepath.Join(d.marks, "late"), Text: "x"}, job.Options{Queue: "q"})
		}
		_, err := job.Start(d.ctx, d.courier, quick, Note{File: filepath.Join(d.marks, "bad"), Text: "x"})
		if err == nil {
			break
		}
		if !errors.Is(err, job.ErrFull) {
			return fmt.Errorf("no inodes: %w", err)
		}
		_ = os.Remove(name)
	}
	for _, name := range names {
		_ = os.Remove(name)
	}
	if waits == nil {
		return errors.New("none could wait")
	}
	if _, err := waits.Wait(d.ctx); err != nil {
		return err
	}
	return d.works()
}

func (d *disk) readOnly() error {
	if err := d.works(); err != nil {
		return err
	}
	if err := unix.Mount("", d.dir, "", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return err
	}
	if err := d.refuses(syscall.EROFS); err != nil {
		return err
	}
	if err := unix.Mount("", d.dir, "", unix.MS_REMOUNT, ""); err != nil {
		return err
	}
	return d.works()
}

// running fills the disk while a job prints: the output has a gap, and goes on when there is room; the result is there.
func (d *disk) running() error {
	j, err := job.Start(d.ctx, d.courier, count, Counting{Seed: 1, Lines: 300, Pause: 5 * time.Millisecond, Width: 2000})
	if err != nil {
		return err
	}
	deaf, err := job.Start(d.ctx, d.courier, count, Counting{Seed: 2, Lines: 100, Pause: 5 * time.Millisecond, Width: 2000})
	if err != nil {
		return err
	}
	time.Sleep(100 * time.Millisecond) // some output is there; when exactly does not matter
	free, err := d.fill()
	if err != nil {
		return err
	}
	if n, err := deaf.Wait(d.ctx); err != nil || n != 100 {
		return fmt.Errorf("on a full disk: %d, %w", n, err)
	}
	if i, err := deaf.Info(d.ctx); err != nil || i.Outcome != job.Returned || i.Dropped == 0 {
		return fmt.Errorf("on a full disk: %+v, %w", i, err)
	}
	free()
	if n, err := j.Wait(d.ctx); err != nil || n != 300 {
		return fmt.Errorf("%d, %w", n, err)
	}
	var text strings.Builder
	var missing int64
	for p, err := range j.Output(d.ctx, job.Offset{}, true) {
		if err != nil {
			return err
		}
		text.Write(p.Data)
		missing += p.Dropped
	}
	i, err := j.Info(d.ctx)
	if err != nil || missing == 0 || missing != i.Dropped || !strings.HasSuffix(text.String(), line(1, 299)+strings.Repeat(" ", 2000)+"\n") {
		return fmt.Errorf("%d bytes are missing in the output; %+v; it ends with %.80q; %w", missing, i, text.String()[max(0, text.Len()-80):], err)
	}
	fmt.Printf("%d of %d bytes are missing\n", missing, missing+int64(text.Len()))
	return nil
}

// tries fills the disk while a job runs that will be tried again: it is, up to its end, and what of that can be told is.
func (d *disk) tries() error {
	for _, last := range []bool{false, true} { // whether the room that was made for it is gone, too
		dir := must(os.MkdirTemp(d.marks, "tries"))
		j, err := job.Start(d.ctx, d.courier, insist, Flaky{dir, 3}, job.Options{Tries: 4, Pause: time.Millisecond})
		if err != nil {
			return err
		}
		if err := appears(d.ctx, filepath.Join(dir, "run.1")); err != nil {
			return err
		}
		room := filepath.Join(d.dir, "state", "deliveryboy", "jobs", j.ID, "keeper.new")
		if _, err := os.Lstat(room); err != nil {
			return err
		}
		if last {
			must(0, os.Remove(room))
		}
		free, err := d.fill()
		if err != nil {
			return err
		}
		for run := 1; run < 3; run++ {
			must(0, os.WriteFile(filepath.Join(dir, fmt.Sprint("go.", run)), nil, 0o600))
			if err := appears(d.ctx, filepath.Join(dir, fmt.Sprint("run.", run+1))); err != nil {
				i, _ := j.Info(context.WithoutCancel(d.ctx))
				return fmt.Errorf("%w: %+v", err, i)
			}
			told := run + 1
			if last {
				told = 1
			}
			if i, err := j.Info(d.ctx); err != nil || i.Phase != job.Running || i.Attempts != told {
				return fmt.Errorf("attempt %d: %+v, %w", run+1, i, err)
			}
		}
		must(0, os.WriteFile(filepath.Join(dir, "go.3"), nil, 0o600))
		if n, err := j.Wait(d.ctx); err != nil || n != 3 {
			return fmt.Errorf("%d, %w", n, err)
		}
		if i, err := j.Info(d.ctx); err != nil || i.Outcome != job.Returned || i.Attempts != 3 {
			return fmt.Errorf("%+v, %w", i, err)
		}
		if _, err := os.Lstat(room); err == nil {
			return errors.New("keeper.new is left")
		}
		free()
		if err := j.Acknowledge(d.ctx); err != nil {
			return err
		}
	}
	return nil
}

// A worker without descriptors left says so, and nothing hangs.
func TestFewDescriptors(t *testing.T) {
	prlimit, err := exec.LookPath("prlimit")
	if err != nil {
		t.Fatal(err)
	}
	worked := 0
	for limit := 8; limit <= 40; limit++ {
		c := once(transport.Command{Prefix: []string{prlimit, fmt.Sprintf("--nofile=%d", limit)}})
		j, err := job.Start(short(t), c, where, 0)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("%d descriptors: an error without a text", limit)
			}
			continue
		}
		_, err = j.Wait(short(t))
		i, infoErr := job.Attach[Where](short(t), once(transport.Self{}), j.ID)
		if infoErr != nil {
			t.Fatalf("%d descriptors: %v", limit, infoErr)
		}
		info, _ := i.Info(short(t))
		t.Logf("%d descriptors: %v; %s", limit, err, info.Phase)
		worked++
		eventually(t, "it has ended", func() bool { info, _ := i.Info(short(t)); return info.Phase == job.Ended || info.Phase == job.Lost })
		_ = i.Acknowledge(short(t))
	}
	if worked == 0 {
		t.Error("not even 40 descriptors are enough")
	}
}
