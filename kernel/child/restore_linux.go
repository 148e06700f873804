package child

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// restore finds the processes of an earlier server: those that the holder keeps, and those that only records tell of.
func (t *Table) restore(past holder.Past) error {
	kept := map[string]holder.Held{}
	for _, h := range past.Held {
		if key, ok := strings.CutPrefix(h.Key, heldPrefix); ok {
			kept[key] = h
		}
	}
	keys, err := t.dir.records()
	if err != nil {
		return err
	}
	for _, key := range keys {
		h, found := kept[key]
		err := t.recover(key, h, found)
		if errors.Is(err, errEmpty) { // of the shelf
			_ = t.dir.remove(key + extRecord)
			continue
		}
		delete(kept, key)
		if err != nil {
			closeFiles(h.Files)
			switch {
			case passing(err):
				return fmt.Errorf("%s: %w; it is tried again", key+extRecord, err)
			case errors.Is(err, io.ErrUnexpectedEOF) && !found: // a server died before it had begun to start anything
				_ = t.dir.remove(key + extRecord)
			default:
				t.quarantine(key, err)
			}
		}
	}
	for _, h := range kept { // what nobody knows any more
		closeFiles(h.Files)
		_ = t.link.Drop(h.Key)
	}
	t.sweep()
	for _, e := range past.Exits {
		t.Ended(e)
	}
	for _, p := range t.all() {
		p.resume()
	}
	return nil
}

// passing reports whether an error says nothing about a record: later, it may be gone. Nobody is forgotten because of it.
func passing(err error) bool {
	for _, e := range []unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOMEM, unix.ENOSPC, unix.EDQUOT, unix.EROFS, unix.EIO} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// quarantine puts aside a record that cannot be read, with its output.
func (t *Table) quarantine(key string, err error) {
	t.log.Error("a record of a process cannot be read; it is put aside", "file", key+extRecord, "error", err)
	if err := t.dir.rename(key+extRecord, key+extBad); err != nil {
		_ = t.dir.remove(key + extRecord)
	}
	_ = t.link.Drop(held(key))
}

// sweep removes output that belongs to nothing, and records that were being written anew.
func (t *Table) sweep() {
	names, _ := t.dir.names()
	for _, n := range names {
		for _, ext := range append(extStream[:], extIndex, extRecord+".new") {
			key, ok := strings.CutSuffix(n, ext)
			if ok && t.processes[key] == nil && !slices.Contains(names, key+extBad) {
				_ = t.dir.remove(n)
			}
		}
	}
}

// recover reads a record and finds its process.
func (t *Table) recover(key string, h holder.Held, kept bool) error {
	f, err := t.dir.open(key+extRecord, os.O_RDWR|os.O_APPEND)
	if err != nil {
		return err
	}
	entries, err := readRecord(f)
	if err == nil && keyOf(entries[0].Spec.Owner, entries[0].Spec.Name) != key {
		err = fmt.Errorf("it is that of %q of user %d", entries[0].Spec.Name, entries[0].Spec.Owner)
	}
	if err == nil {
		err = entries[0].Spec.check()
	}
	if err != nil {
		f.Close()
		return err
	}
	p := newProcess(t, *entries[0].Spec)
	p.record, p.adopted = f, true
	p.replay(entries[1:])
	if p.tape != nil && !p.removed {
		if err := p.tape.load(); err != nil {
			f.Close()
			return err
		}
	}
	if p.removed {
		for _, ext := range append(extStream[:], extIndex) {
			_ = t.dir.remove(key + ext)
		}
	}
	p.attach(h)
	if err := p.identify(kept); err != nil {
		f.Close()
		return err
	}
	close(p.made)
	t.processes[key] = p
	t.counts[p.spec.Owner]++
	return nil
}

// replay applies what a record says.
func (p *process) replay(entries []entry) {
	for _, e := range entries {
		if e.Run != nil {
			p.run = *e.Run
		}
		if e.Exit != nil {
			p.exit = e.Exit
		}
		p.removed = p.removed || e.Removed
		if c := e.Taken; c != nil {
			if i := slices.IndexFunc(p.takers, func(o *taken) bool { return o.Name == c.Name }); i >= 0 {
				p.takers[i] = c
			} else {
				p.takers = append(p.takers, c)
			}
		}
	}
}

// attach takes over the descriptors that the holder kept.
func (p *process) attach(h holder.Held) {
	if p.run.PID == 0 && h.Who.PID != 0 { // the server died between the start and the record of it
		p.run = run{Process: h.Who, Boot: p.table.boot, At: time.Now(), UID: os.Geteuid(), GID: os.Getegid()}
		_ = p.write(entry{Run: &p.run})
	}
	for i, letter := range h.Note {
		if i >= len(h.Files) {
			break
		}
		switch letter {
		case 'P':
			p.pidfd = h.Files[i]
		case 'I':
			p.stdin = h.Files[i]
		case 'O':
			p.pipes[fromOut] = h.Files[i]
		case 'E':
			p.pipes[fromErr] = h.Files[i]
		}
	}
}

// identify finds the process itself where nobody has kept a descriptor of it. An error is about this server, not about the
// process: that one is not taken for gone because of it.
func (p *process) identify(kept bool) error {
	if p.run.PID == 0 && kept {
		p.search()
	}
	p.pid.Store(int64(p.run.PID))
	p.start.Store(p.run.Start)
	switch {
	case p.run.PID == 0 || p.exit != nil || p.run.Boot != p.table.boot:
		return nil
	case p.pidfd == nil:
		var err error
		if p.pidfd, err = p.open(); err != nil || p.pidfd == nil && !kept {
			return err
		}
		_ = p.keep() // the holder says how it has ended, if it has
	}
	p.reaper = p.pidfd == nil || parentOf(p.run.PID) == p.table.reaper
	return nil
}

// open is a descriptor of the process; nil if it is gone. It may be a zombie.
func (p *process) open() (*os.File, error) {
	fd, err := unix.PidfdOpen(p.run.PID, 0)
	if err != nil {
		if passing(err) {
			return nil, os.NewSyscallError("pidfd_open", err)
		}
		return nil, nil
	}
	if holder.StartOf(p.run.PID) != p.run.Start { // looked at with the descriptor open: another one got the number
		return nil, unix.Close(fd)
	}
	return os.NewFile(uintptr(fd), "pidfd"), nil
}

// search looks for a process whose start was interrupted by the death of the server: a child of the holder, at the head of a
// session, whose stdout or stderr is the pipe that was made for it.
func (p *process) search() {
	var ends []unix.Stat_t
	for _, pipe := range append(p.pipes[:], p.stdin) {
		var st unix.Stat_t
		if pipe == nil {
			continue
		}
		if raw, err := pipe.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { err = unix.Fstat(int(fd), &st) })
			if err == nil {
				ends = append(ends, st)
			}
		}
	}
	list, _ := os.ReadDir("/proc")
	for _, e := range list {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || parentOf(pid) != p.table.reaper || !hasOpen(pid, ends) {
			continue
		}
		p.run = run{Process: holder.Process{PID: pid, Start: holder.StartOf(pid)}, Boot: p.table.boot, At: time.Now(),
			UID: os.Geteuid(), GID: os.Getegid()}
		_ = p.write(entry{Run: &p.run})
		return
	}
}

// hasOpen reports whether one of the three streams of a process is one of the pipes.
func hasOpen(pid int, pipes []unix.Stat_t) bool {
	for fd := range 3 {
		var st unix.Stat_t
		if unix.Stat(fmt.Sprintf("/proc/%d/fd/%d", pid, fd), &st) != nil {
			continue
		}
		if slices.ContainsFunc(pipes, func(p unix.Stat_t) bool { return p.Ino == st.Ino && p.Dev == st.Dev }) {
			return true
		}
	}
	return false
}

// resume goes on where the earlier server was.
func (p *process) resume() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.listen()
	if p.exit != nil {
		close(p.ended)
		p.flowOn()
		p.hurry()
		_ = p.table.link.Forget(p.run.Process) // the holder has reaped it, if the server died before it did
		p.settle()
		return
	}
	p.begin()
}
