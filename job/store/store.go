// Package store keeps jobs on disk: what was ordered, who keeps it, what it printed and what came of it.
//
// A user has one store: /var/lib/deliveryboy for root, else deliveryboy in $XDG_STATE_HOME or in ~/.local/state. It is of
// mode 0700 and holds a directory for each job and one for each queue; job/SPEC.md tells what is in them. Nothing else
// has a list of jobs: whoever reads the directories knows all that there is to know.
//
// What a reader sees of a job is the old state or the new one, whatever was killed when: files come about under another
// name, or carry a checksum.
package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/seed354a1416/deliveryboy/internal/statedir"
)

// The errors of a store. Those of the system are in them too.
var (
	// ErrNotFound says that there is no such job, for this user: those of others do not show.
	ErrNotFound = errors.New("no such job")
	// ErrFull says that the file system takes no more: no space, no inodes, no quota, or it is read-only.
	ErrFull = errors.New("the job store takes no more")
	// ErrNotEnded and ErrNotRunning say that a job is not where it would have to be for what somebody wants.
	ErrNotEnded   = errors.New("the job has not ended")
	ErrNotRunning = errors.New("the job does not run")
	// ErrOrdering says that somebody is ordering the job at this moment, or that nobody can say whether it was ordered.
	ErrOrdering = errors.New("it is being ordered at this moment: order it again")
	// ErrUnfit says that a file would be longer than it may be.
	ErrUnfit = errors.New("it does not fit")
	// ErrDamaged says that a file of a job is not what was written.
	ErrDamaged = errors.New("damaged")
)

const (
	jobsDir   = "jobs"
	queuesDir = "queues"
)

// A Store is the jobs of one user. It is safe for concurrent use, also by several processes.
type Store struct {
	path string
	root *os.Root
}

// Open opens the store of the user that this process runs as; it comes about if it is not there.
func Open() (*Store, error) {
	path, err := statedir.Path()
	if err != nil {
		return nil, fmt.Errorf("job store: %w", err)
	}
	return OpenAt(path)
}

// OpenAt opens a store in a directory, which comes about if it is not there, and has to be this user's alone.
func OpenAt(path string) (*Store, error) {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return nil, failed(path, err)
	}
	if err := statedir.Check(path); err != nil {
		return nil, fmt.Errorf("job store %s: %w", path, err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, failed(path, err)
	}
	if info, err := root.Stat("."); err != nil || ownerOf(info) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		_ = root.Close()
		return nil, fmt.Errorf("job store %s: it was replaced while it was looked at", path)
	}
	for _, dir := range []string{jobsDir, queuesDir} {
		if err := root.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			_ = root.Close()
			return nil, failed(path, err)
		}
	}
	return &Store{path: path, root: root}, nil
}

// Close gives the descriptor back.
func (s *Store) Close() { _ = s.root.Close() }

// failed wraps an error of the system; it is ErrFull if the file system takes no more.
func failed(path string, err error) error {
	if isFull(err) {
		return fmt.Errorf("job store %s: %w: %w", path, ErrFull, err)
	}
	return fmt.Errorf("job store %s: %w", path, err)
}
