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
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
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
	rootDir   = "/var/lib/deliveryboy"
)

// A Store is the jobs of one user. It is safe for concurrent use, also by several processes.
type Store struct {
	path string
	root *os.Root
}

// Open opens the store of the user that this process runs as; it comes about if it is not there.
func Open() (*Store, error) {
	path, err := Path()
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
	if err := checkOwner(path); err != nil {
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

// Path is where the store of this user is.
func Path() (string, error) {
	if os.Geteuid() == 0 && ownsSystem() {
		return rootDir, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return filepath.Join(dir, "deliveryboy"), nil
	}
	home, err := home()
	if err != nil {
		return "", err
	}
	return filepath.Join(home, ".local", "state", "deliveryboy"), nil
}

// home is the home of whoever this process really is: root of a user namespace is somebody outside. The user database
// counts, not $HOME, which may be another user's.
func home() (string, error) {
	uid := outerUID(os.Geteuid())
	u, err := user.LookupId(strconv.Itoa(uid))
	if err != nil {
		if dir := os.Getenv("HOME"); filepath.IsAbs(dir) {
			return dir, nil // a container need not have a user database
		}
		return "", fmt.Errorf("user %d has no home: %w; set XDG_STATE_HOME", uid, err)
	}
	return u.HomeDir, nil
}

// outerUID is who a user of this user namespace is in the one around it.
func outerUID(uid int) int {
	table, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return uid
	}
	for line := range strings.Lines(string(table)) {
		var inside, outside, count int
		if n, _ := fmt.Sscan(line, &inside, &outside, &count); n == 3 && uid >= inside && uid-inside < count {
			return outside + uid - inside
		}
	}
	return uid
}

// ownsSystem reports whether root here is root of the machine, or of the container: it owns the system's directories.
func ownsSystem() bool {
	info, err := os.Lstat("/")
	return err == nil && ownerOf(info) == 0
}

// checkOwner refuses a directory that somebody else could write to or read. For root, that holds for all that lead to it.
func checkOwner(path string) error {
	info, err := os.Lstat(path)
	switch {
	case err != nil:
		return err
	case !info.IsDir():
		return errors.New("it is no directory")
	case ownerOf(info) != os.Geteuid():
		return fmt.Errorf("it belongs to user %d, not to %d", ownerOf(info), os.Geteuid())
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("its mode is %#o: only its user may have access; chmod 700 helps", info.Mode().Perm())
	}
	if path != rootDir {
		return nil
	}
	for dir := filepath.Dir(path); ; dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err != nil {
			return err
		}
		if !info.IsDir() || ownerOf(info) != 0 || info.Mode().Perm()&0o022 != 0 {
			return fmt.Errorf("%s must be a directory that only root can write to", dir)
		}
		if dir == "/" {
			return nil
		}
	}
}

// failed wraps an error of the system; it is ErrFull if the file system takes no more.
func failed(path string, err error) error {
	if isFull(err) {
		return fmt.Errorf("job store %s: %w: %w", path, ErrFull, err)
	}
	return fmt.Errorf("job store %s: %w", path, err)
}
