package name

import (
	"slices"
	"strings"
)

// A Set is patterns made ready for many names: to match one takes hardly longer with a hundred thousand patterns than with
// one, so that nobody who sends that many holds up others. The zero Set has none.
type Set struct {
	names  map[string]struct{}
	starts []string // of names that a star follows; sorted, and none begins with another one
}

// SetOf makes a Set.
func SetOf(list []Pattern) Set {
	s := Set{names: map[string]struct{}{}}
	for _, p := range list {
		if p.wild {
			s.starts = append(s.starts, p.text)
		} else {
			s.names[p.text] = struct{}{}
		}
	}
	slices.Sort(s.starts)
	kept := s.starts[:0]
	for _, start := range s.starts {
		if len(kept) == 0 || !strings.HasPrefix(start, kept[len(kept)-1]) {
			kept = append(kept, start)
		}
	}
	s.starts = kept
	return s
}

// Empty reports whether there are no patterns in it.
func (s Set) Empty() bool { return len(s.names) == 0 && len(s.starts) == 0 }

// Has reports whether a word is one of the patterns without a star.
func (s Set) Has(word string) bool {
	_, ok := s.names[word]
	return ok
}

// Match reports whether one of the patterns stands for a name.
func (s Set) Match(name string) bool {
	if s.Has(name) {
		return true
	}
	i, found := slices.BinarySearch(s.starts, name)
	return found || i > 0 && strings.HasPrefix(name, s.starts[i-1]) // all that lie between begin with it, too
}
