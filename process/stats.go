package process

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"time"
)

// Stats are measurements of a process, taken where it runs, by whoever started it.
type Stats struct {
	PID, Parent int
	Name        string   // of the program, as the system has it: at most 15 bytes on Linux
	Cmdline     []string // as the process has it now; at most 64 KiB
	Username    string   // or the number, if it has no name
	UID         int
	Status      string // "running", "sleeping", "disk-sleep", "stopped", "tracing-stop", "zombie", "idle", "dead"

	RSS      int64         // memory that it has, in bytes
	VMS      int64         // memory that it could have, in bytes
	Memory   float64       // RSS, in percent of the machine's memory
	CPU      float64       // in percent of one CPU, over the interval; see Process.Stats
	CPUTime  time.Duration // that it took, in user and system mode
	Threads  int
	Files    int   // open descriptors; -1 if they may not be counted
	Nice     int   // its priority
	Children []int // their numbers

	Created time.Time // by the clock of its machine
	Taken   time.Time
}

// MemoryText is RSS for people, such as "12M".
func (s Stats) MemoryText() string { return Human(s.RSS) }

// VirtualText is VMS for people.
func (s Stats) VirtualText() string { return Human(s.VMS) }

// CPUText is CPUTime for people: minutes, seconds and hundredths, such as "2:05.31".
func (s Stats) CPUText() string { return Clock(s.CPUTime) }

// Human is a number of bytes for people, in whole units of 1024: "512B", "12M".
func Human(n int64) string {
	const units = "KMGTPE"
	for i := len(units); i > 0; i-- {
		if unit := int64(1) << (10 * i); n >= unit {
			return strconv.FormatInt(n/unit, 10) + units[i-1:i]
		}
	}
	return strconv.FormatInt(n, 10) + "B"
}

// Clock is a time for people: minutes, seconds and hundredths.
func Clock(d time.Duration) string {
	return fmt.Sprintf("%d:%02d.%02d", d/time.Minute, d/time.Second%60, d/(10*time.Millisecond)%100)
}

// StatsOf measures any process of this machine, as far as this process may. The CPU is that of the interval, during which
// it waits; 0: since the process was started.
func StatsOf(ctx context.Context, pid int, interval time.Duration) (Stats, error) {
	before, err := measure(pid)
	if err != nil {
		return before, err
	}
	if interval <= 0 {
		before.CPU = percent(before.CPUTime, before.Taken.Sub(before.Created))
		return before, nil
	}
	if err := pause(ctx, interval); err != nil {
		return before, err
	}
	now, err := measure(pid)
	if err == nil && !now.Created.Equal(before.Created) {
		err = fmt.Errorf("process %d: it has ended: %w", pid, ErrDone)
	}
	if err == nil {
		now.CPU = percent(now.CPUTime-before.CPUTime, now.Taken.Sub(before.Taken))
	}
	return now, err
}

// OwnStats measures this process.
func OwnStats(ctx context.Context, interval time.Duration) (Stats, error) {
	return StatsOf(ctx, os.Getpid(), interval)
}

// percent is how much of a time was spent.
func percent(spent, of time.Duration) float64 {
	if of <= 0 || spent <= 0 {
		return 0
	}
	return 100 * float64(spent) / float64(of)
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Stats measures the process. The CPU is that of the interval, during which it waits; with 0 that since the last measurement
// of the process, the first of which was taken when it was started. Needs Linux, where the process runs.
func (p *Process) Stats(ctx context.Context, interval time.Duration) (Stats, error) {
	b, err := p.alive()
	if err != nil {
		return Stats{}, err
	}
	if interval > 0 {
		if _, err := b.stats(ctx); err != nil {
			return Stats{}, err
		}
		if err := pause(ctx, interval); err != nil {
			return Stats{}, err
		}
	}
	return b.stats(ctx)
}

// Status is what the process does, as Stats.Status has it; "dead" when it has ended.
func (p *Process) Status(ctx context.Context) (string, error) {
	if _, err := p.alive(); err == ErrDone { //nolint:errorlint // alive gives it itself
		return "dead", nil
	}
	s, err := p.Stats(ctx, 0)
	return s.Status, err
}

// A gauge knows the last measurement of a child.
type gauge struct {
	cpu time.Duration
	at  time.Time
}

// stats measures the child, which cannot be another process while the lock is held.
func (ch *child) stats() (Stats, error) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if !ch.ended.IsZero() {
		return Stats{}, ErrDone
	}
	s, err := measure(ch.proc.Pid)
	if err != nil {
		return s, err
	}
	if ch.last.at.IsZero() {
		ch.last.at = ch.started
	}
	s.CPU = percent(s.CPUTime-ch.last.cpu, s.Taken.Sub(ch.last.at))
	ch.last = gauge{s.CPUTime, s.Taken}
	return s, nil
}

func (l *local) stats(context.Context) (Stats, error) { return l.child.stats() }
