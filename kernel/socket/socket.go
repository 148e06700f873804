// Package socket keeps listening sockets for programs that restart: a client who connects meanwhile waits in the backlog,
// and is not refused.
//
// A socket is made from a [kernel.SocketSpec], under a name. The processes that the kernel starts get it as an open file, see
// [Table.Claim]. Removing a socket closes the kernel's own copy; processes keep theirs.
package socket

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/event"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// MaxSockets is how many sockets a kernel keeps.
const MaxSockets = 1024

// A Socket is one of those that are kept.
type Socket struct {
	Name  string
	Owner int // the uid whose name it is
	Spec  kernel.SocketSpec
	Host  string // the address that it has, as numbers
	Port  int    // that it has, where Spec has 0
	Inode uint64 // of the file of a unix socket, which is removed only while it is this one
	Dev   uint64

	file *os.File // nil for dgrams of which each process gets its own
}

// Fileno is the number of the kernel's descriptor; -1 if each process gets a socket of its own.
func (s *Socket) Fileno() int {
	if s.Spec.Reuseport {
		return -1
	}
	return int(s.file.Fd())
}

type key struct {
	owner int
	name  string
}

// A Table holds the sockets of a kernel. Many goroutines may use it.
type Table struct {
	link   *holder.Link // nil within another program
	events *event.Hub

	mu      sync.Mutex // guards what follows
	sockets map[key]*Socket
}

// NewTable makes a table whose sockets a holder has, too. The nil Link is none, and the nil Hub hears nothing.
func NewTable(link *holder.Link, events *event.Hub) *Table {
	return &Table{link: link, events: events, sockets: map[key]*Socket{}}
}

// Prefix begins the keys of what a table gives to its holder.
const Prefix = "socket/"

func (s *Socket) key() string { return Prefix + strconv.Itoa(s.Owner) + ":" + s.Name }

// Restore takes back what a predecessor gave to the holder. The files are the table's from then on.
func (t *Table) Restore(h holder.Held) error {
	s := &Socket{}
	if err := json.Unmarshal(h.Note, s); err != nil {
		return fmt.Errorf("kernel: socket %.200q: %w", h.Note, err)
	}
	if len(h.Files) > 0 {
		s.file = h.Files[0]
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.sockets[key{s.Owner, s.Name}] = s
	return nil
}

// Make makes a socket, or returns the one that has this name, if it was made from the same spec.
func (t *Table) Make(owner int, text string, spec kernel.SocketSpec) (*Socket, error) {
	if err := name.Check("socket", text); err != nil {
		return nil, kernel.Errorf(kernel.Usage, "%s", sentence(err))
	}
	if err := spec.Complete(); err != nil {
		return nil, kernel.Errorf(kernel.Usage, "%s", sentence(err))
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	k := key{owner, text}
	if old := t.sockets[k]; old != nil {
		if old.Spec == spec {
			return old, nil
		}
		return nil, kernel.Errorf(kernel.Exists, "Socket for %s has already been created - %s", text, old.Spec)
	}
	if len(t.sockets) >= MaxSockets {
		return nil, kernel.Errorf(kernel.Limit, "There are %d sockets, which is all that there may be; remove some", len(t.sockets))
	}
	if spec.Path != "" {
		for _, s := range t.sockets {
			if s.Spec.Path == spec.Path {
				if s.Owner == owner {
					return nil, kernel.Errorf(kernel.Exists, "Socket %s has the path %s already", s.Name, line.Visible(spec.Path))
				}
				return nil, kernel.Errorf(kernel.Failed, "Bind failed on %s: address already in use", line.Visible(spec.Path))
			}
		}
	}
	s := &Socket{Name: text, Owner: owner, Spec: spec}
	if err := s.open(); err != nil {
		return nil, err
	}
	if err := t.keep(s); err != nil {
		s.close()
		return nil, kernel.Errorf(kernel.Failed, "Socket %s could not be kept: %v", text, err)
	}
	t.sockets[k] = s
	t.events.Tell(owner, event.Socket, text, "make", "")
	return s, nil
}

// keep gives a socket to the holder: its descriptor, if it has one, and all else as a note.
func (t *Table) keep(s *Socket) error {
	note, err := json.Marshal(s)
	if err != nil {
		return err
	}
	held := holder.Held{Key: s.key(), Note: note}
	if s.file != nil {
		held.Files = []*os.File{s.file}
	}
	return t.link.Keep(held)
}

// List returns copies of the sockets of an owner that are meant by patterns or numbers of descriptors, by name; none at all
// mean every one.
func (t *Table) List(owner int, words []string) ([]Socket, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	found, _, err := t.find(owner, words)
	list := make([]Socket, 0, len(found))
	for _, s := range found {
		list = append(list, *s)
	}
	return list, err
}

// find returns the sockets that words mean, and the exact words that mean none.
func (t *Table) find(owner int, words []string) (found []*Socket, unknown []string, err error) {
	patterns, err := name.ParseAll("socket", words)
	if err != nil {
		return nil, nil, kernel.Errorf(kernel.Usage, "%s", sentence(err))
	}
	set, hit := name.SetOf(patterns), map[string]bool{}
	for k, s := range t.sockets {
		if k.owner != owner {
			continue
		}
		number := strconv.Itoa(s.Fileno())
		named, numbered := set.Match(s.Name), !s.Spec.Reuseport && set.Has(number) && t.sockets[key{owner, number}] == nil
		if named || numbered || set.Empty() {
			found = append(found, s)
			hit[s.Name], hit[number] = hit[s.Name] || named, hit[number] || numbered
		}
	}
	for _, p := range patterns {
		if !p.Wild() && !hit[p.String()] {
			unknown = append(unknown, p.String())
		}
	}
	slices.SortFunc(found, func(a, b *Socket) int { return strings.Compare(a.Name, b.Name) })
	return found, unknown, nil
}

// Remove closes sockets of an owner and removes the files of unix sockets. There has to be a word; a name that is not there
// is an error, and then nothing is removed.
func (t *Table) Remove(owner int, words []string) (n int, err error) {
	if len(words) == 0 {
		return 0, kernel.Errorf(kernel.Usage, `Which sockets? "*" is all of them`)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	found, unknown, err := t.find(owner, words)
	switch {
	case err != nil:
		return 0, err
	case len(unknown) > 0:
		return 0, kernel.Errorf(kernel.NotFound, "%s not found", strings.Join(unknown, ", "))
	}
	for _, s := range found {
		err = errors.Join(err, t.link.Drop(s.key()))
		s.close()
		delete(t.sockets, key{owner, s.Name})
		t.events.Tell(owner, event.Socket, s.Name, "remove", "")
	}
	if gone := t.link.Sync(); !errors.Is(gone, holder.ErrLost) { // or who connects from now on waits in the holder's copy
		err = errors.Join(err, gone)
	}
	return len(found), err
}

// Len is how many sockets there are, of all owners.
func (t *Table) Len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.sockets)
}

// Close closes all sockets. With remove, the files of unix sockets go, too: for a kernel that ends for good.
func (t *Table) Close(remove bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for k, s := range t.sockets {
		if remove {
			s.close()
		} else if s.file != nil {
			s.file.Close()
		}
		delete(t.sockets, k)
	}
}

// close closes the kernel's copy, and removes the file if it is still the one that was made.
func (s *Socket) close() {
	if s.file != nil {
		s.file.Close()
	}
	var st unix.Stat_t
	if s.Spec.Path != "" && s.Inode != 0 && unix.Lstat(s.Spec.Path, &st) == nil && st.Ino == s.Inode && uint64(st.Dev) == s.Dev {
		os.Remove(s.Spec.Path)
	}
}

// sentence is the text of an error as a sentence.
func sentence(err error) string {
	text := line.Visible(err.Error())
	return strings.ToUpper(text[:1]) + text[1:]
}
