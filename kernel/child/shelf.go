package child

import (
	"os"
	"slices"
	"strconv"
	"sync"
)

// A shelf has files of records that are of no more use, empty, for records to come. To make a file and to remove it again
// costs more than to start a process: ext4 looks for an inode that was not in use a moment ago, and passes over all that were.
type shelf struct {
	dir directory

	mu     sync.Mutex // guards what follows
	spares []spare
	last   int  // number of the last name
	closed bool // the server ends
}

type spare struct {
	name string
	file *os.File
}

// sparePrefix begins the names of files on the shelf; no key begins so.
const sparePrefix = ".spare-"

// mostSpares is how many files there are on the shelf.
const mostSpares = 256

// put takes a record off its name, at once, and keeps the file.
func (s *shelf) put(name string, f *os.File) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.spares) < mostSpares && !s.closed {
		s.last++
		to := sparePrefix + strconv.Itoa(s.last)
		if s.dir.rename(name, to) == nil {
			if f.Truncate(0) == nil {
				s.spares = append(s.spares, spare{to, f})
				return
			}
			name = to
		}
	}
	f.Close()
	_ = s.dir.remove(name)
}

// pop returns the file that was put there last.
func (s *shelf) pop() (spare, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := len(s.spares) - 1
	if n < 0 {
		return spare{}, false
	}
	last := s.spares[n]
	s.spares = slices.Delete(s.spares, n, n+1)
	return last, true
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
