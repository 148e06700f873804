package child

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel/event"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// A Table is all processes of a kernel. Many goroutines may use it.
type Table struct {
	dir     directory
	shelf   shelf
	lookout *lookout
	log     *slog.Logger
	link    *holder.Link
	events  *event.Hub
	boot    string
	reaper  int            // the holder
	work    sync.WaitGroup // goroutines of processes
	closing atomic.Bool
	starts  sync.RWMutex // held for reading while a process is started

	mu        sync.Mutex // guards what follows; taken after the lock of a process
	processes map[string]*process
	counts    map[int]int // by owner
	followers map[*Watch]struct{}
	said      time.Time // when a complaint was logged
}

// Open opens the table in a directory, which it makes: with mode 0700, in one that nobody else can write to. Past is what the
// holder has kept; what of it begins with "process/" is the table's, and it takes over its files. Link is nil where nobody
// keeps anything: then processes go on when this process ends, but nobody hears them any more.
func Open(dir string, link *holder.Link, past holder.Past, log *slog.Logger, events *event.Hub) (*Table, error) {
	d, err := openDirectory(dir)
	if err != nil {
		return nil, fmt.Errorf("kernel: processes: %w", err)
	}
	t := &Table{dir: d, shelf: shelf{dir: d}, log: log, link: link, events: events, reaper: past.Holder, processes: map[string]*process{}, counts: map[int]int{},
		followers: map[*Watch]struct{}{}}
	if t.lookout, err = newLookout(&t.work); err != nil {
		d.close()
		return nil, fmt.Errorf("kernel: processes: %w", err)
	}
	if t.boot, err = bootID(); err == nil {
		err = t.restore(past)
	}
	if err != nil {
		t.Close()
		return nil, fmt.Errorf("kernel: processes: %w", err)
	}
	return t, nil
}

// Freeze waits until no process is being started, and keeps it so until the result is called: for as long as this process
// may become another program.
func (t *Table) Freeze() (thaw func()) {
	t.starts.Lock()
	return t.starts.Unlock
}

// Kill ends all processes and forgets them.
func (t *Table) Kill() {
	for _, p := range t.all() {
		<-p.made
		if p.failed != nil {
			continue
		}
		_ = p.remove()
		_ = p.signal(unix.SIGKILL)
		<-p.over
	}
}

// Close ends what this process has to do with the processes. They go on; what they print from now on, nobody reads, unless a
// holder keeps the other end and a successor takes over.
func (t *Table) Close() {
	t.closing.Store(true)
	for _, p := range t.all() {
		p.mu.Lock()
		p.release()
		p.space.Broadcast()
		p.mu.Unlock()
	}
	t.lookout.close()
	t.work.Wait()
	for _, p := range t.all() {
		p.mu.Lock()
		if p.tape != nil && !p.gone {
			p.tape.close()
		}
		if p.record != nil && !p.gone {
			p.record.Close()
		}
		p.mu.Unlock()
	}
	t.shelf.close()
	t.dir.close()
}

func (t *Table) all() []*process {
	t.mu.Lock()
	defer t.mu.Unlock()
	list := make([]*process, 0, len(t.processes))
	for _, p := range t.processes {
		list = append(list, p)
	}
	return list
}

// Count is how many processes there are.
func (t *Table) Count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.processes)
}

// Has is how many processes an owner has.
func (t *Table) Has(owner int) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.counts[owner]
}

// complain logs that output could not be recorded, now and then.
func (t *Table) complain(name string, waits bool, err error) {
	t.mu.Lock()
	due := time.Since(t.said) > 10*time.Second
	if due {
		t.said = time.Now()
	}
	t.mu.Unlock()
	if due {
		what := "output cannot be recorded, and is dropped"
		if waits {
			what = "output cannot be recorded, and waits in the pipe"
		}
		t.log.Error(what, "process", name, "error", err)
	}
}

func keyOf(owner int, name string) string { return strconv.Itoa(owner) + "-" + name }

// held is the key of what the holder keeps of a process.
func held(key string) string { return heldPrefix + key }

const heldPrefix = "process/"

// match finds processes by patterns, in the order of their names. A number is that of a process. An exact name that is
// nobody's is an error, unless it may come later.
func (t *Table) match(owner int, patterns []name.Pattern, later bool) ([]*process, error) {
	set := name.SetOf(patterns)
	found, hit := t.find(owner, set)
	for _, p := range patterns {
		if !later && !p.Wild() && !hit[p.String()] {
			return nil, notFound(p.String())
		}
	}
	slices.SortFunc(found, func(a, b *process) int { return strings.Compare(a.spec.Name, b.spec.Name) })
	return found, nil
}

// find finds processes, and which of the exact words in the set are names or numbers of some.
func (t *Table) find(owner int, set name.Set) (found []*process, hit map[string]bool) {
	hit = map[string]bool{}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, p := range t.processes {
		if p.spec.Owner != owner {
			continue
		}
		pid := ""
		if n := p.pid.Load(); n != 0 {
			pid = strconv.FormatInt(n, 10)
		}
		if named, numbered := set.Match(p.spec.Name), set.Has(pid); named || numbered {
			found = append(found, p)
			hit[p.spec.Name], hit[pid] = hit[p.spec.Name] || named, hit[pid] || numbered
		}
	}
	return found, hit
}

// List lists processes; no pattern stands for all. Names that are nobody's are left out.
func (t *Table) List(owner int, patterns []name.Pattern) []Info {
	if len(patterns) == 0 {
		all, _ := name.Parse("process", "*")
		patterns = []name.Pattern{all}
	}
	list, _ := t.match(owner, patterns, true)
	infos := make([]Info, 0, len(list))
	for _, p := range list {
		<-p.made
		if p.failed == nil {
			infos = append(infos, p.info())
		}
	}
	return infos
}

// Remove forgets processes: what they have printed at once, the rest when they end. They go on.
func (t *Table) Remove(owner int, patterns []name.Pattern) error {
	list, err := t.match(owner, patterns, false)
	for _, p := range list {
		<-p.made
		err = errors.Join(err, p.remove())
	}
	return err
}

func (p *process) remove() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || p.removed || p.failed != nil {
		return nil
	}
	if err := p.write(entry{Removed: true}); err != nil {
		return err
	}
	p.removed = true
	p.tell("remove", "")
	if p.tape != nil {
		p.tape.remove()
	}
	p.space.Broadcast()
	p.changed()
	p.settle()
	return nil
}

// Signal sends a signal to processes, with all in their process groups. Those that have ended are left out.
func (t *Table) Signal(owner int, patterns []name.Pattern, s unix.Signal) error {
	list, err := t.match(owner, patterns, false)
	for _, p := range list {
		<-p.made
		err = errors.Join(err, p.signal(s))
		p.tell("signal", "signal="+unix.SignalName(s))
	}
	return err
}

// tell tells those who watch events.
func (p *process) tell(what, more string) {
	p.table.events.Tell(p.spec.Owner, event.Process, p.spec.Name, what, strings.TrimSpace("pid="+strconv.FormatInt(p.pid.Load(), 10)+" "+more))
}

// Stop ends processes: by SIGTERM and, if they are still there after the grace, by SIGKILL. It returns when they have ended,
// or with the context.
func (t *Table) Stop(ctx context.Context, owner int, patterns []name.Pattern, grace time.Duration) error {
	list, err := t.match(owner, patterns, false)
	for _, p := range list {
		<-p.made
		p.tell("stop", "")
		err = errors.Join(err, p.signal(unix.SIGTERM))
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for i := 0; i < len(list); {
		select {
		case <-list[i].ended:
			i++
		case <-timer.C:
			var denied error
			for _, p := range list {
				denied = errors.Join(denied, p.signal(unix.SIGKILL))
			}
			if denied != nil { // such as that of a process that became another user's: it may never end
				return denied
			}
		case <-ctx.Done():
			return errors.Join(err, context.Cause(ctx))
		}
	}
	return err
}

// Send writes to the stdin of a process, and waits until that has read it, but not longer than until.
func (t *Table) Send(ctx context.Context, owner int, pattern name.Pattern, data []byte, until time.Time) error {
	list, err := t.match(owner, []name.Pattern{pattern}, false)
	if err != nil {
		return err
	}
	for _, p := range list {
		<-p.made
		err = errors.Join(err, p.send(ctx, data, until))
	}
	return err
}

// Ended tells how a process has ended that an earlier server had started: the holder says so.
func (t *Table) Ended(e holder.Exit) {
	t.mu.Lock()
	var mine *process
	for _, p := range t.processes {
		if p.pid.Load() == int64(e.PID) && p.start.Load() == e.Start {
			mine = p
		}
	}
	t.mu.Unlock()
	if mine == nil {
		return
	}
	select {
	case mine.told <- e:
	default:
	}
}

// forget takes a process out of the table. Its name is free.
func (t *Table) forget(p *process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.processes[p.key] != p {
		return
	}
	delete(t.processes, p.key)
	if p.pid.Load() != 0 {
		p.tell("forget", "") // before somebody else has the name
	}
	if t.counts[p.spec.Owner]--; t.counts[p.spec.Owner] == 0 {
		delete(t.counts, p.spec.Owner)
	}
}

func (t *Table) addFollower(w *Watch) {
	t.mu.Lock()
	t.followers[w] = struct{}{}
	t.mu.Unlock()
	list, _ := t.match(w.owner, w.patterns, true)
	for _, p := range list {
		w.wake(p)
	}
}

func (t *Table) removeFollower(w *Watch) {
	t.mu.Lock()
	delete(t.followers, w)
	t.mu.Unlock()
}

// announce tells those who follow about a new process.
func (t *Table) announce(p *process) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for w := range t.followers {
		if w.owner == p.spec.Owner && w.set.Match(p.spec.Name) {
			w.wake(p)
		}
	}
}
