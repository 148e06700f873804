// Package child keeps the kernel's processes: it starts them, records what they print and how they end until somebody
// has taken it, and finds them again after the server that started them is gone.
//
// What a process prints goes from its pipe into a file without passing through this process's memory (splice(2)). The
// length of the file is the truth: there is no moment in which bytes have left the pipe and are nowhere else, so that a
// server that is killed has lost none. Beside it an index says when they came. What has been taken, and what is more than
// the process may keep, is cut off at the front of the files, which stay small.
//
// A record beside them says what the process is, and who has taken what. All of these are in the kernel's directory; they
// are not flushed to the disk, because processes do not survive a crash of the machine either.
//
// The descriptors of a process, its pipes and a pidfd, are with the holder too: see package holder.
package child

import (
	"errors"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// ErrSystem says that this system has no kernel of processes.
var ErrSystem = errors.New("processes need Linux 5.10 or newer")

// Where the output of a process goes.
const (
	Pipe    = "PIPE"    // it is recorded
	Discard = "DEVNULL" // nowhere
	Merged  = "STDOUT"  // stderr alone: where stdout goes
)

// What to do when a process has printed more than it may keep.
const (
	DropOldest = "drop"  // the oldest is dropped, and counted
	Block      = "block" // it waits until somebody has taken some: the process waits, too
)

// Limits.
const (
	DefaultBufsize = 1 << 20
	MaxBufsize     = 64 << 30
	MaxProcesses   = 10000 // of one owner, those included that have ended and wait for somebody to take their exit codes
	MaxConsumers   = 32    // of one process
	MaxArgs        = 4096
	MaxEnv         = 4096
	maxChunks      = 16384 // pieces of output of one process that are told apart
)

// A Spec is what somebody wants to run. It is what "same" means when a name is used twice.
type Spec struct {
	Name     string            `json:"name"`
	Owner    int               `json:"owner"`
	Args     []string          `json:"args"` // as they were given: $(socket.…) still stands there
	Shell    bool              `json:"shell,omitempty"`
	Env      []string          `json:"env,omitempty"` // all there is
	Dir      string            `json:"dir,omitempty"`
	UID      *int              `json:"uid,omitempty"`
	GID      *int              `json:"gid,omitempty"`
	Limits   map[string]uint64 `json:"limits,omitempty"` // by names as "nofile"; soft and hard are the same
	Stdin    string            `json:"stdin,omitempty"`  // Pipe or Discard
	Stdout   string            `json:"stdout"`
	Stderr   string            `json:"stderr"`
	Bufsize  int64             `json:"bufsize"`
	Overflow string            `json:"overflow"`
	Listen   []string          `json:"listen,omitempty"` // names of sockets, for LISTEN_FDS
	// Consumers are for whom all of it is kept from the beginning; nobody else's taking counts then. Empty: for the one
	// without a name, until there are others.
	Consumers []string `json:"consumers,omitempty"`
}

// An Info is what can be told of a process.
type Info struct {
	Spec    Spec
	PID     int
	Running bool
	Removed bool // it is forgotten when it ends
	Started time.Time
	Ended   time.Time // zero while it runs
	Code    int       // of those that have ended: the exit code, or minus the number of the signal
	Known   bool      // Code is known
	UID     int
	GID     int
	Kept    int64  // bytes that somebody may still take
	Dropped uint64 // bytes that were more than it may keep
	Adopted bool   // it is not a child of this server: an earlier one has started it
}

// A Kind is what an Event tells.
type Kind string

// What happens to a process.
const (
	Out    Kind = "out"    // it has printed to stdout
	Err    Kind = "err"    // it has printed to stderr
	Lost   Kind = "lost"   // Count bytes are gone that this consumer has not taken
	Closed Kind = "closed" // it has ended, and that was all; Code is its exit code
)

// An Event is one of the things that a Watch tells.
type Event struct {
	Kind  Kind
	Name  string
	PID   int
	Pos   uint64    // behind it: how many bytes the process had printed by then
	At    time.Time // when the kernel saw it
	Data  []byte    // of Out and Err
	Count uint64    // of Lost
	Code  int       // of Closed: the exit code, or minus the number of the signal
	Known bool      // of Closed: somebody knows the code
}

func notFound(name string) error { return kernel.Errorf(kernel.NotFound, "%s not found", name) }
