package child

import (
	"errors"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// A process is one name: what runs under it, has run, and what is kept of it.
type process struct {
	table  *Table
	key    string        // of files, and of what the holder keeps
	made   chan struct{} // closed when it has been started, or could not be
	ended  chan struct{} // closed when it is known that it has ended
	over   chan struct{} // closed when everything of it is gone
	pid    atomic.Int64  // 0 until it is started; changes never
	start  atomic.Uint64
	number uint64 // of the lookout
	heard  bool   // by the lookout: it has ended
	flow   flow
	// waiting is how many streams have something that cannot be recorded yet.
	waiting atomic.Int32

	mu      sync.Mutex // guards what follows
	spec    Spec
	failed  error // it could not be started
	run     run
	adopted bool
	exit    *exit
	removed bool
	gone    bool // nothing of it is left
	late    bool // it has ended, and something that it started has its streams
	streams int  // of those that are recorded, how many may still bring something
	tape    *tape
	takers  []*taken // consumers
	record  *os.File
	grown   int64 // bytes of the record since it was written anew

	pidfd   *os.File
	pipes   [sources]*os.File // reading ends
	stdin   *os.File          // writing end
	told    chan holder.Exit  // by the holder; has room for one
	reaper  bool              // the holder is its parent, or was
	lingers *time.Timer       // until late
	space   *sync.Cond        // somebody has taken something
	subs    map[*Watch]struct{}
}

func newProcess(t *Table, spec Spec) *process {
	p := &process{table: t, key: keyOf(spec.Owner, spec.Name), spec: spec, made: make(chan struct{}), ended: make(chan struct{}), over: make(chan struct{}),
		told: make(chan holder.Exit, 1), subs: map[*Watch]struct{}{}}
	p.space, p.flow.busy = sync.NewCond(&p.mu), true
	if spec.Bufsize > 0 {
		p.tape = &tape{place: t.dir, name: p.key, limit: spec.Bufsize, block: spec.Overflow == Block}
	}
	for _, c := range spec.Consumers {
		p.takers = append(p.takers, &taken{Name: c, Used: true})
	}
	if p.takers == nil {
		p.takers = []*taken{{}} // the one without a name
	}
	return p
}

// closed reports whether the process has ended and nothing more will come.
func (p *process) closed() bool { return p.exit != nil && (p.streams == 0 || p.late) }

func (p *process) info() Info {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := Info{Spec: p.spec, PID: p.run.PID, Running: p.exit == nil && p.failed == nil, Removed: p.removed, Started: p.run.At,
		UID: p.run.UID, GID: p.run.GID, Adopted: p.adopted}
	if p.exit != nil {
		i.Code, i.Known, i.Ended = p.exit.Code, p.exit.Known, p.exit.At
	}
	if p.tape != nil {
		i.Kept, i.Dropped = p.tape.kept(), p.tape.lost
	}
	return i
}

// write appends to the record, so that a successor of this server knows. The caller has the lock.
func (p *process) write(e entry) error {
	line, err := e.line()
	if err != nil {
		return err
	}
	err = appendTo(p.record, line)
	if errors.Is(err, unix.EBADF) { // it was opened when the disk was read-only
		var again *os.File
		if again, err = p.table.dir.openOnce(p.key+extRecord, os.O_RDWR|os.O_APPEND); err == nil {
			p.record.Close()
			p.record = again
			err = appendTo(p.record, line)
		}
	}
	if err != nil {
		return kernel.Errorf(kernel.Failed, "process %s: its record cannot be written: %v", p.spec.Name, err)
	}
	if p.grown += int64(len(line)); p.grown > compactAt {
		p.compact()
	}
	return nil
}

// appendTo appends a line to a file, all of it or nothing: a full disk may have room for its beginning.
func appendTo(f *os.File, line []byte) error {
	n, err := f.Write(line)
	if err == nil || n == 0 {
		return err
	}
	info, failed := f.Stat()
	if failed == nil {
		failed = f.Truncate(info.Size() - int64(n))
	}
	return errors.Join(err, failed)
}

// compact writes the record anew. If that fails the long one is as good.
func (p *process) compact() {
	p.grown = 0
	temp := p.key + extRecord + ".new"
	_ = p.table.dir.remove(temp)
	f, err := p.table.dir.open(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL|os.O_APPEND)
	if err != nil {
		return
	}
	text, err := p.summary()
	if err == nil {
		_, err = f.Write(text)
	}
	if err == nil {
		err = p.table.dir.rename(temp, p.key+extRecord)
	}
	if err != nil {
		f.Close()
		_ = p.table.dir.remove(temp)
		return
	}
	p.record.Close()
	p.record = f
}

// summary is the shortest record of what there is.
func (p *process) summary() ([]byte, error) {
	list := []entry{{Version: recordVersion, Spec: &p.spec}, {Run: &p.run, Exit: p.exit, Removed: p.removed}}
	for _, c := range p.takers {
		list = append(list, entry{Taken: c})
	}
	var text []byte
	for _, e := range list {
		line, err := e.line()
		if err != nil {
			return nil, err
		}
		text = append(text, line...)
	}
	return text, nil
}

// consumer returns the one with a name. A new one begins with what is kept by now.
func (p *process) consumer(name string) (*taken, error) {
	i := slices.IndexFunc(p.takers, func(c *taken) bool { return c.Name == name })
	if i >= 0 && p.takers[i].Used {
		return p.takers[i], nil
	}
	if i < 0 && len(p.takers) > MaxConsumers {
		return nil, kernel.Errorf(kernel.Limit, "process %s: there may be %d consumers", p.spec.Name, MaxConsumers)
	}
	c := &taken{Name: name, Used: true}
	if p.tape != nil && slices.ContainsFunc(p.takers, func(o *taken) bool { return o.Used }) {
		c.Pos = p.tape.tail // what is before that, others have taken
	}
	if err := p.write(entry{Taken: c}); err != nil {
		return nil, err
	}
	if i >= 0 {
		p.takers[i] = c
	} else {
		p.takers = append(p.takers, c)
	}
	return c, nil
}

// holds reports whether something is kept for a consumer: for each that has a name, and for the one that has none if it was
// ever here, or if there is no other.
func (p *process) holds(c *taken) bool { return c.Used || len(p.takers) == 1 }

// A batch is what a consumer gets of one process at once.
type batch struct {
	events []Event
	pos    uint64 // how far it goes
	exit   bool   // it holds the exit code
	size   int64
}

// most of a batch; a piece of output is as long as a pipe, at most.
const mostBatch = 256 << 10

// look returns what there is for a consumer, without taking it.
func (p *process) look(c *taken, most int64) (b batch, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	b.pos = c.Pos
	if p.removed || p.gone {
		return b, nil
	}
	if t := p.tape; t != nil {
		for i := t.find(b.pos); i < len(t.chunks) && b.size < most; i++ {
			k := t.chunks[i]
			b.pass(p, k.pos)
			data, err := t.read(k, b.pos, most-b.size)
			if err != nil {
				return b, kernel.Errorf(kernel.Failed, "process %s: %v", p.spec.Name, err)
			}
			b.pos += uint64(len(data))
			b.events = append(b.events, Event{Kind: k.from.kind(), Name: p.spec.Name, PID: p.run.PID, Pos: b.pos, At: time.Unix(0, k.at), Data: data})
			b.size += int64(len(data))
		}
		if b.size < most { // that was all there is
			b.pass(p, t.head)
		}
	}
	if p.closed() && !c.Exit && (p.tape == nil || b.pos == p.tape.head) {
		b.exit = true
		b.events = append(b.events, Event{Kind: Closed, Name: p.spec.Name, PID: p.run.PID, Pos: b.pos, At: p.exit.At, Code: p.exit.Code, Known: p.exit.Known})
	}
	return b, nil
}

// pass goes on to a position, and says so if there is nothing on the way.
func (b *batch) pass(p *process, pos uint64) {
	if pos > b.pos {
		b.events = append(b.events, Event{Kind: Lost, Name: p.spec.Name, PID: p.run.PID, Pos: pos, At: time.Now(), Count: pos - b.pos})
		b.pos = pos
	}
}

// take notes that a consumer has what it was given, and gives up what nobody needs any more.
func (p *process) take(c *taken, b batch) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.gone || b.pos <= c.Pos && !(b.exit && !c.Exit) {
		return nil
	}
	next := *c
	next.Pos, next.Exit, next.Used = max(c.Pos, b.pos), c.Exit || b.exit, true
	last := p.lastWith(c, next)
	if !last { // else the record goes away at once
		if err := p.write(entry{Taken: &next}); err != nil {
			return err
		}
	}
	*c = next
	p.settle()
	return nil
}

// lastWith reports whether everybody has everything, once c is as next.
func (p *process) lastWith(c *taken, next taken) bool {
	if !p.closed() {
		return false
	}
	for _, other := range p.takers {
		if other != c && p.holds(other) && !other.Exit {
			return false
		}
	}
	return next.Exit
}

// settle gives up what everybody has taken. The caller has the lock.
func (p *process) settle() {
	if p.removed {
		if p.exit != nil {
			p.bury()
		}
		return
	}
	least, all := ^uint64(0), true
	for _, c := range p.takers {
		if p.holds(c) {
			least, all = min(least, c.Pos), all && c.Exit
		}
	}
	if p.tape != nil {
		p.tape.cutTo(min(least, p.tape.head))
	}
	p.space.Broadcast()
	if all && p.closed() {
		p.bury()
	}
}

// bury removes the last traces. The caller has the lock.
func (p *process) bury() {
	if p.gone {
		return
	}
	p.gone = true
	if p.tape != nil {
		p.tape.remove()
	}
	if p.record != nil {
		p.table.shelf.put(p.key+extRecord, p.record)
	}
	p.table.link.DropLater(held(p.key)) // before a descriptor is closed that it may be about to send
	p.release()
	p.space.Broadcast()
	p.changed()
	p.table.forget(p)
	close(p.over)
}

// release closes the descriptors; whoever still reads from them ends.
func (p *process) release() {
	p.table.lookout.forget(p)
	for _, f := range []*os.File{p.pidfd, p.stdin, p.pipes[fromOut], p.pipes[fromErr]} {
		if f != nil {
			f.Close()
		}
	}
}

// changed wakes those who watch. The caller has the lock.
func (p *process) changed() {
	for w := range p.subs {
		w.wake(p)
	}
}
