// Package value keeps the kernel's values: small things that programs want to find again when they come back.
//
// Values live in memory and in a journal, a file to which each change is appended before it is answered. So a value that
// was set survives the death of the kernel at once. Against a crash of the machine, what was appended goes to the disk
// together with what others appended, within [SyncEvery]; [Change.Sync] waits for that.
//
// The journal is read when the store is opened. What was not written to its end is dropped; a record that does not match its
// checksum is put aside into the file "values.bad" and reported, and the rest is kept.
package value

import (
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/event"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// Limits. They hold for each owner apart.
const (
	MaxValue  = 4 << 20  // bytes of one value
	MaxNames  = 65536    // values of one owner
	MaxTotal  = 64 << 20 // bytes of all names and values of one owner
	SyncEvery = time.Second
	mostTTL   = 100 * 365 * 24 * time.Hour
)

// A Store holds values by owner and name. Many goroutines may use it.
type Store struct {
	dir    string
	opened time.Time
	log    *slog.Logger
	events *event.Hub

	mu      sync.Mutex // guards what follows
	values  map[key]entry
	usage   map[int]usage
	journal *journal
	damage  report // what of a sealed journal has to be put aside before it is written to

	syncer *syncer
}

type key struct {
	owner int
	name  string
}

type entry struct {
	data    string
	expires int64         // in ns since 1970, for the journal; 0 is never
	end     time.Duration // of the store, by a clock that does not jump, if expires is not 0
}

type usage struct{ names, bytes int }

// A Value is one of those that List returns.
type Value struct {
	Name    string
	Data    string
	Expires time.Time // zero is never
}

// A Change says how a value is set. Zero is for good, and without a wait for the disk.
type Change struct {
	TTL  time.Duration // after which the value is gone; 0 is never. A jump of the machine's clock counts only for who opens the store later.
	Sync bool          // return when the value would survive a crash of the machine
}

// keep puts a record of the journal into memory.
func (s *Store) keep(r record, now int64) {
	k := key{r.owner, r.name}
	if r.data == "" || r.expires != 0 && r.expires <= now {
		s.drop(k)
		return
	}
	s.put(k, entry{r.data, r.expires, s.age() + time.Duration(r.expires-now)})
}

func (s *Store) put(k key, e entry) {
	s.drop(k)
	s.values[k] = e
	u := s.usage[k.owner]
	s.usage[k.owner] = usage{u.names + 1, u.bytes + len(k.name) + len(e.data)}
}

func (s *Store) drop(k key) {
	old, ok := s.values[k]
	if !ok {
		return
	}
	delete(s.values, k)
	u := s.usage[k.owner]
	u = usage{u.names - 1, u.bytes - len(k.name) - len(old.data)}
	if u.names == 0 {
		delete(s.usage, k.owner)
		return
	}
	s.usage[k.owner] = u
}

// age is how long the store has been open, whatever the machine's clock was set to meanwhile.
func (s *Store) age() time.Duration { return time.Since(s.opened) }

func (s *Store) over(e entry) bool { return e.expires != 0 && e.end <= s.age() }

// live returns a value, if it has not expired.
func (s *Store) live(k key) (entry, bool) {
	e, ok := s.values[k]
	if ok && s.over(e) {
		s.drop(k)
		return entry{}, false
	}
	return e, ok
}

// Get returns a value; ok is false if there is none.
func (s *Store) Get(owner int, name string) (data string, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	e, ok := s.live(key{owner, name})
	return e.data, ok
}

// Set sets a value. An empty one is cleared.
func (s *Store) Set(owner int, name, data string, c Change) error {
	_, err := s.change(owner, name, data, c, func(entry) bool { return true })
	return err
}

// CompareAndSet sets a value if it is the old one; an empty old one means that there must be none. It reports whether it
// did.
func (s *Store) CompareAndSet(owner int, name, old, data string, c Change) (bool, error) {
	return s.change(owner, name, data, c, func(is entry) bool { return is.data == old })
}

func (s *Store) change(owner int, text, data string, c Change, may func(entry) bool) (bool, error) {
	if err := name.Check("value", text); err != nil {
		return false, kernel.Errorf(kernel.Usage, "%s", upper(err))
	}
	if len(data) > MaxValue {
		return false, kernel.Errorf(kernel.Limit, "Value %s has %d bytes; there may be %d", text, len(data), MaxValue)
	}
	e := entry{data: data}
	if c.TTL < 0 {
		return false, kernel.Errorf(kernel.Usage, "ttl %s: it must not be negative", c.TTL)
	}
	if c.TTL > mostTTL {
		return false, kernel.Errorf(kernel.Usage, "ttl %s: there may be %s; without it a value is for good", c.TTL, mostTTL)
	}
	if c.TTL > 0 {
		e.expires, e.end = time.Now().Add(c.TTL).UnixNano(), s.age()+c.TTL
	}
	k := key{owner, text}
	s.mu.Lock()
	old, had := s.live(k)
	done := may(old)
	var err error
	if done && (had || data != "") {
		err = s.store(k, e, old, had)
	}
	s.mu.Unlock()
	if err != nil || !done {
		return false, err
	}
	if c.Sync {
		return true, s.syncer.wait()
	}
	s.syncer.soon()
	return true, nil
}

// store appends a change to the journal and then makes it.
func (s *Store) store(k key, e, old entry, had bool) error {
	if e.data != "" {
		if err := s.room(k, e, old, had); err != nil {
			return err
		}
	}
	err := s.unseal()
	if err == nil {
		err = s.journal.append(record{k.owner, k.name, e.data, e.expires})
	}
	if err != nil {
		return kernel.Errorf(kernel.Failed, "Value %s could not be stored: %v", k.name, err)
	}
	if e.data == "" {
		s.drop(k)
		s.events.Tell(k.owner, event.Value, k.name, "clear", "")
	} else {
		s.put(k, e)
		s.events.Tell(k.owner, event.Value, k.name, "set", "")
	}
	s.tidy()
	return nil
}

func (s *Store) room(k key, e, old entry, had bool) error {
	u := s.usage[k.owner]
	grow := len(e.data) - len(old.data)
	if !had {
		grow += len(k.name)
		if u.names >= MaxNames {
			return kernel.Errorf(kernel.Limit, "There are %d values, which is all that there may be; remove some", u.names)
		}
	}
	if u.bytes+grow > MaxTotal {
		return kernel.Errorf(kernel.Limit, "The values would have %d bytes; there may be %d; remove some", u.bytes+grow, MaxTotal)
	}
	return nil
}

// Close brings what was appended to the disk and closes the journal.
func (s *Store) Close() error {
	err := s.syncer.stop()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.journal.close()
	return err
}

// upper is the text of an error as a sentence.
func upper(err error) string {
	text := line.Visible(err.Error())
	return strings.ToUpper(text[:1]) + text[1:]
}
