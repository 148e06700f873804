package child

import (
	"os"
	"slices"
	"sync"
)

// A shelf has files of records that are of no more use, for records to come: empty, under the names that they had. To make a
// file and to remove it again costs more than to start a process: ext4 looks for an inode that was not in use a moment ago,
// and passes over all that were.
type shelf struct {
	dir directory

	mu     sync.Mutex // guards what follows
	spares []spare
	closed bool // the server ends
}

type spare struct {
	name string
	file *os.File
}

// mostSpares is how many files there are on the shelf.
const mostSpares = 256

// put empties a record, at once, and keeps the file.
func (s *shelf) put(name string, f *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spares) < mostSpares && !s.closed && f.Truncate(0) == nil {
		s.spares = append(s.spares, spare{name, f})
		return
	}
	f.Close()
	_ = s.dir.remove(name)
}

// pop returns the file that has a name, or the one that was put there last.
func (s *shelf) pop(name string) (spare, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.IndexFunc(s.spares, func(one spare) bool { return one.name == name })
	if at < 0 {
		at = len(s.spares) - 1
	}
	if at < 0 {
		return spare{}, false
	}
	one := s.spares[at]
	s.spares = slices.Delete(s.spares, at, at+1)
	return one, true
}

// close removes the files, and keeps none from now on.
func (s *shelf) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	for _, one := range s.spares {
		one.file.Close()
		_ = s.dir.remove(one.name)
	}
	s.spares = nil
}
