package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"

	"github.com/seed354a1416/deliveryboy/job/spool"
)

// The files of a job, beside the segments of its output.
const (
	recordFile    = "record"
	lockFile      = "lock"
	keeperFile    = "keeper"
	resultFile    = "result"
	forgottenFile = "forgotten"

	// ControlFile is the socket at which the keeper takes orders.
	ControlFile = "control"
)

// reserved is how much room for the result is taken when a job is: it is the last thing that may fail. For what the keeper
// says of itself when it begins, there is less.
const (
	reserved       = 8 << 10
	reservedKeeper = 1 << 10
)

// A Job is the directory of a job.
type Job struct {
	ID    string
	Dir   *os.Root
	store *Store
	lock  *os.File // held by this process, or by a keeper that it was handed to; nil if it is not ours
}

func (s *Store) jobPath(id string) string { return path.Join(jobsDir, id) }

// Begin makes the directory of a new job and takes its lock. It is no job before [Job.Order]; give it up with [Job.Abandon].
// A job of that name makes the error fs.ErrExist.
func (s *Store) Begin(id string) (*Job, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	// It comes about under another name, and gets its own with the lock taken: nobody ever sees a job's directory whose
	// lock is free because it is not there yet.
	temp := path.Join(jobsDir, fmt.Sprintf("new.%s.%s", id, rand.Text()))
	if err := s.root.Mkdir(temp, 0o700); err != nil {
		return nil, failed(s.path, err)
	}
	dir, err := s.root.OpenRoot(temp)
	if err == nil {
		j := &Job{ID: id, Dir: dir, store: s}
		if j.lock, err = dir.OpenFile(lockFile, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600); err == nil {
			if err = lock(j.lock); err == nil {
				err = s.root.Rename(temp, s.jobPath(id)) // fs.ErrExist where one with a lock is
			}
		}
		if err == nil {
			return j, nil
		}
		j.Close()
	}
	_ = s.root.RemoveAll(temp)
	return nil, failed(s.path, err)
}

// open opens the directory of a job.
func (s *Store) open(id string) (*Job, error) {
	dir, err := s.root.OpenRoot(s.jobPath(id))
	if err != nil {
		return nil, err
	}
	return &Job{ID: id, Dir: dir, store: s}, nil
}

// Find opens a job. The error is ErrNotFound if there is none.
func (s *Store) Find(id string) (*Job, error) {
	if err := CheckID(id); err != nil {
		return nil, err
	}
	j, err := s.open(id)
	if err != nil {
		return nil, notFound(id, err)
	}
	if _, err := j.Dir.Lstat(recordFile); err != nil {
		j.Close()
		return nil, notFound(id, err)
	}
	return j, nil
}

func notFound(id string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("job %s: %w", id, ErrNotFound)
	}
	return fmt.Errorf("job %s: %w", id, err)
}

// Close gives the descriptors back; the lock is free then, unless somebody inherited it.
func (j *Job) Close() {
	if j.lock != nil {
		_ = j.lock.Close()
	}
	_ = j.Dir.Close()
}

// Lock is the file of the lock, for a keeper to inherit; nil if it is not held.
func (j *Job) Lock() *os.File { return j.lock }

// Inherit takes over a lock that somebody handed to this process.
func (j *Job) Inherit(lock *os.File) { j.lock = lock }

// Order makes it a job: the record and the call are durable when it returns, and there is room for a short result.
func (j *Job) Order(r *Record, call [][]byte) error {
	err := j.reserve()
	if err == nil {
		err = j.replace(recordFile, "record", r, call)
	}
	if err == nil {
		err = syncDir(j.store.root, jobsDir)
	}
	if err != nil {
		return failed(j.store.path, err)
	}
	return nil
}

// reserve makes room for the result, and for the keeper's file: a job that was taken on begins and ends on a full disk too.
func (j *Job) reserve() error {
	for name, size := range map[string]int64{resultFile: reserved, keeperFile: reservedKeeper} {
		if err := j.makeRoom(name, size); err != nil {
			return err
		}
	}
	return nil
}

// makeRoom makes room for the next state of a file.
func (j *Job) makeRoom(name string, size int64) error {
	f, err := j.Dir.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	return errors.Join(reserve(f, size), f.Close())
}

// write writes a sealed file, durably. What is there already, such as room that was reserved, is used.
func (j *Job) write(name, kind string, head any, segments [][]byte) error {
	data, err := Seal(kind, head, segments)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	f, err := j.Dir.OpenFile(name, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Truncate(int64(len(data)))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

// replace puts a sealed file in the place of an older one, durably.
func (j *Job) replace(name, kind string, head any, segments [][]byte) error {
	if err := j.write(name+".new", kind, head, segments); err != nil {
		return err
	}
	if err := j.Dir.Rename(name+".new", name); err != nil {
		return err
	}
	return syncDir(j.Dir, ".")
}

func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// Abandon removes what Begin made.
func (j *Job) Abandon() {
	_ = j.vanish()
	j.Close()
}

// here reports whether the directory still has the job's name.
func (j *Job) here() bool {
	mine, err := j.Dir.Stat(".")
	if err != nil {
		return false
	}
	its, err := j.store.root.Lstat(j.store.jobPath(j.ID))
	return err == nil && os.SameFile(mine, its)
}

// Gone reports whether somebody took the directory away. Where that cannot be told it is still there.
func (j *Job) Gone() bool {
	its, err := j.store.root.Lstat(j.store.jobPath(j.ID))
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	mine, err := j.Dir.Stat(".")
	return err == nil && !os.SameFile(mine, its)
}

// vanish takes the directory away, if it still is the job's. Whoever calls it holds the lock, or knows that the job has
// ended: so two never do at once what only one may.
func (j *Job) vanish() error {
	if !j.here() {
		return fmt.Errorf("job %s: %w", j.ID, ErrNotFound)
	}
	gone := path.Join(jobsDir, fmt.Sprintf("gone.%s.%s", j.ID, rand.Text()))
	if err := j.store.root.Rename(j.store.jobPath(j.ID), gone); err != nil {
		return notFound(j.ID, err)
	}
	return failedIf(j.store.path, j.store.root.RemoveAll(gone))
}

// Ordered reads the record and the call.
func (j *Job) Ordered() (*Record, [][]byte, error) {
	r := new(Record)
	call, err := readSealed(j.Dir, recordFile, "record", r)
	if err == nil && r.ID != j.ID {
		err = fmt.Errorf("record: %w: it is that of job %.80q", ErrDamaged, r.ID)
	}
	if err != nil {
		return nil, nil, notFound(j.ID, err)
	}
	return r, call, nil
}

// Keep says, durably, who keeps the job. From the first time on the job counts as started. If it is to be said again, there
// will be room for that, as far as others do not take what was the file before.
func (j *Job) Keep(k *Keeper, again bool) error {
	err := j.replace(keeperFile, "keeper", k, nil)
	if err == nil && again {
		_ = j.makeRoom(keeperFile, reservedKeeper)
	}
	return failedIf(j.store.path, err)
}

// Finish says, durably, how the job ended. What was called is forgotten: it may hold secrets.
func (j *Job) Finish(r *Result, reply [][]byte) error {
	if err := j.replace(resultFile, "result", r, reply); err != nil {
		return failed(j.store.path, err)
	}
	_ = j.Dir.Remove(keeperFile + ".new") // of an attempt that there will not be
	if record, _, err := j.Ordered(); err == nil {
		record.Env = nil
		_ = j.replace(recordFile, "record", record, nil) // on a full disk it stays as it is
	}
	return nil
}

// Failed says that something failed in the job's directory; it is ErrFull if the file system takes no more.
func (j *Job) Failed(err error) error { return failedIf(j.store.path, err) }

func failedIf(path string, err error) error {
	if err == nil {
		return nil
	}
	return failed(path, err)
}

// Result reads how the job ended, and what the function returned; nil if it has not ended.
func (j *Job) Result() (*Result, [][]byte, error) {
	r := new(Result)
	reply, err := readSealed(j.Dir, resultFile, "result", r)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, fmt.Errorf("job %s: %w", j.ID, err)
	}
	return r, reply, nil
}

// Claim takes the lock of a job that nobody keeps, and that has neither started nor ended.
func (j *Job) Claim() (bool, error) {
	f, err := j.Dir.OpenFile(lockFile, os.O_RDWR, 0)
	if err != nil {
		return false, notFound(j.ID, err)
	}
	if err := lock(f); err != nil {
		_ = f.Close()
		if errors.Is(err, errLocked) {
			return false, nil
		}
		return false, err
	}
	for _, name := range []string{keeperFile, resultFile} {
		if _, err := j.Dir.Lstat(name); err == nil {
			return false, f.Close()
		}
	}
	j.lock = f
	return true, nil
}

// Forget has whoever keeps the job take it away when it ends.
func (j *Job) Forget() error {
	f, err := j.Dir.OpenFile(forgottenFile, os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		return failed(j.store.path, err)
	}
	return f.Close()
}

// Forgotten reports whether somebody called Forget.
func (j *Job) Forgotten() bool {
	_, err := j.Dir.Lstat(forgottenFile)
	return err == nil
}

// Remove takes the job away, with all that it printed. From then on it is not found. The error is ErrNotEnded if somebody
// began it meanwhile.
func (j *Job) Remove() error {
	if j.lock == nil {
		if f, err := j.Dir.OpenFile(lockFile, os.O_RDWR, 0); err == nil {
			defer f.Close()
			if err := lock(f); err != nil {
				if r, _ := j.outcome(); r == nil {
					return fmt.Errorf("job %s: %w", j.ID, ErrNotEnded)
				}
			}
		}
	}
	return j.vanish()
}

// Size is how many bytes of disk the job takes, about.
func (j *Job) Size() int64 {
	total, _ := spool.Size(j.Dir)
	for _, name := range []string{recordFile, resultFile} {
		if info, err := j.Dir.Lstat(name); err == nil {
			total += info.Size()
		}
	}
	return total
}
