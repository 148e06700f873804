package store

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A queue is a directory with a file for each slot, which is locked while somebody fills it, and a directory for each
// submitter with an empty file for each job that waits, named by the time before which it does not run, by the job, and by
// the program that can run it.

// MaxSlots is how many jobs of one queue may run.
const MaxSlots = 1024

// CheckQueue reports what cannot be the name of a queue, or of a submitter's directory.
func CheckQueue(name string) error {
	if name == "" || len(name) > 64 || name[0] == '.' {
		return fmt.Errorf("queue %.80q: it has 1 to 64 characters and does not begin with a dot", name)
	}
	for i, c := range []byte(name) {
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("._@+-", c) >= 0) {
			return fmt.Errorf("queue %.80q: byte %d is %q; only letters, digits and the characters . _ @ + - are allowed", name, i, string(rune(c)))
		}
	}
	return nil
}

func sortEntries(entries []fs.DirEntry) {
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
}

// submitterDir is the directory of a submitter, who may be called anything.
func submitterDir(queue, submitter string) string {
	var b strings.Builder
	for _, c := range []byte(submitter[:min(len(submitter), 64)]) {
		if CheckQueue(string(rune(c))) != nil || c >= 0x80 {
			c = '_'
		}
		b.WriteByte(c)
	}
	return path.Join(queuesDir, queue, "from."+b.String())
}

// A Ticket is a job's place in its queue.
type Ticket struct {
	ID   string
	Time time.Time // before which the job does not run
	path string
}

// programOf is a program in the name of a ticket.
func programOf(fingerprint string) string { return fingerprint[:min(len(fingerprint), 16)] }

func ticketPath(r *Record) string {
	after := int64(0)
	if !r.After.IsZero() {
		after = max(r.After.UnixMilli(), 0)
	}
	return path.Join(submitterDir(r.Queue, r.Submitter), fmt.Sprintf("%013d.%s.%s", after, r.ID, programOf(r.Program)))
}

// Enqueue gives a job its place. It has to come before the job's Order, since a place that is no job's does no harm, but
// not the other way round; [Store.Settle] after that makes it durable.
func (s *Store) Enqueue(r *Record) error {
	if err := CheckQueue(r.Queue); err != nil {
		return err
	}
	dir := submitterDir(r.Queue, r.Submitter)
	f, err := s.root.OpenFile(ticketPath(r), os.O_WRONLY|os.O_CREATE, 0o600)
	for try := 0; errors.Is(err, fs.ErrNotExist) && try < 3; try++ { // somebody may tidy up meanwhile
		if err = s.root.MkdirAll(dir, 0o700); err == nil {
			if err = syncDir(s.root, queuesDir); err == nil {
				err = syncDir(s.root, path.Dir(dir))
			}
		}
		if err == nil {
			f, err = s.root.OpenFile(ticketPath(r), os.O_WRONLY|os.O_CREATE, 0o600)
		}
	}
	if err == nil {
		err = f.Close()
	}
	return failedIf(s.path, err)
}

// Settle makes the place of a job durable.
func (s *Store) Settle(r *Record) error {
	return failedIf(s.path, syncDir(s.root, submitterDir(r.Queue, r.Submitter)))
}

// Dequeue takes a place away.
func (s *Store) Dequeue(r *Record) {
	if CheckQueue(r.Queue) == nil {
		_ = s.root.Remove(ticketPath(r))
	}
}

// Discard takes a place away that is no job's any more.
func (s *Store) Discard(t Ticket) { _ = s.root.Remove(t.path) }

// Slot takes one of the slots of a queue; nil if somebody has it. It is free when the file is closed by all who have it.
func (s *Store) Slot(queue string, n int) (*os.File, error) {
	f, err := s.slot(queue, n)
	if err != nil {
		return nil, err
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, errLocked) {
			return nil, nil
		}
		return nil, failed(s.path, err)
	}
	return f, nil
}

// SlotTaken reports whether somebody has a slot.
func (s *Store) SlotTaken(queue string, n int) (bool, error) {
	f, err := s.slot(queue, n)
	if err != nil {
		return false, err
	}
	defer f.Close()
	return isLocked(f)
}

func (s *Store) slot(queue string, n int) (*os.File, error) {
	if err := CheckQueue(queue); err != nil {
		return nil, err
	}
	if n < 0 || n >= MaxSlots {
		return nil, fmt.Errorf("queue %s: slot %d: there are at most %d", queue, n, MaxSlots)
	}
	f, err := s.root.OpenFile(path.Join(queuesDir, queue, "slot."+strconv.Itoa(n)), os.O_RDWR|os.O_CREATE, 0o600)
	return f, failedIf(s.path, err)
}

// Tidy takes away the directories of submitters who have nothing in a queue.
func (s *Store) Tidy(queue string) {
	dir := path.Join(queuesDir, queue)
	submitters, err := s.list(dir)
	if err != nil {
		return
	}
	for _, e := range submitters {
		if strings.HasPrefix(e.Name(), "from.") {
			_ = s.root.Remove(path.Join(dir, e.Name())) // fails where there is something
		}
	}
}

// Tickets lists who waits in a queue for a program, for each submitter in order.
func (s *Store) Tickets(queue, program string) ([][]Ticket, error) {
	dir := path.Join(queuesDir, queue)
	submitters, err := s.list(dir)
	if err != nil {
		return nil, err
	}
	var all [][]Ticket
	for _, e := range submitters {
		if !strings.HasPrefix(e.Name(), "from.") {
			continue
		}
		files, err := s.list(path.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		var tickets []Ticket
		for _, f := range files {
			after, rest, _ := strings.Cut(f.Name(), ".")
			id, of, _ := strings.Cut(rest, ".")
			ms, err := strconv.ParseInt(after, 10, 64)
			if err == nil && CheckID(id) == nil && of == programOf(program) {
				tickets = append(tickets, Ticket{ID: id, Time: time.UnixMilli(ms), path: path.Join(dir, e.Name(), f.Name())})
			}
		}
		if len(tickets) > 0 {
			all = append(all, tickets)
		}
	}
	return all, nil
}

// list reads a directory in order; one that is not there is empty.
func (s *Store) list(dir string) ([]fs.DirEntry, error) {
	d, err := s.root.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, failed(s.path, err)
	}
	defer d.Close()
	entries, err := d.ReadDir(-1)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, failed(s.path, err)
	}
	sortEntries(entries)
	return entries, nil
}
