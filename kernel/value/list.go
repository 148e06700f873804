package value

import (
	"slices"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel/name"
)

// List returns the values of an owner whose names match, by name; no patterns match all.
func (s *Store) List(owner int, patterns []name.Pattern) []Value {
	list := s.match(owner, name.SetOf(patterns))
	slices.SortFunc(list, func(a, b Value) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func (s *Store) match(owner int, set name.Set) []Value {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []Value
	for k := range s.values {
		if k.owner != owner || !set.Empty() && !set.Match(k.name) {
			continue
		}
		if e, ok := s.live(k); ok {
			v := Value{Name: k.name, Data: e.data}
			if e.expires != 0 {
				v.Expires = time.Unix(0, e.expires)
			}
			list = append(list, v)
		}
	}
	return list
}

// Remove removes the values of an owner whose names match, and says how many there were.
func (s *Store) Remove(owner int, patterns []name.Pattern) (n int, err error) {
	if len(patterns) == 0 {
		return 0, nil
	}
	for _, v := range s.List(owner, patterns) {
		done, err := s.change(owner, v.Name, "", Change{}, func(e entry) bool { return e.data != "" })
		if err != nil {
			return n, err
		}
		if done {
			n++
		}
	}
	return n, nil
}

// Names is how many values an owner has.
func (s *Store) Names(owner int) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.usage[owner].names
}

// Len is how many values there are, of all owners.
func (s *Store) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for k := range s.values {
		if _, ok := s.live(k); ok {
			n++
		}
	}
	return n
}
