// Package holder keeps what the kernel must not lose when its server dies: open descriptors, and how processes ended.
//
// A kernel is two processes of this program. The holder does next to nothing, so that there is next to nothing that could
// go wrong in it: it keeps descriptors under keys, with a note for each; it is the reaper of what its descendants leave
// behind, and keeps their exit statuses; and it starts the server, again and again for as long as that dies of something.
// The server does all else. It tells the holder what to keep, before it relies on it, through a [Link]; what it would find
// again without the holder, a little later, or never if it is gone by then:
//
//	holder                                     server
//	  └─ starts ── fd 3: a unix socket ─────────►  Join: takes back what its predecessor had kept
//	  ◄─ keep "socket/web" + descriptor ─────────  Keep
//	  ◄─ keep "process/0:job" + pidfd, pipes ────  Keep
//	  ── process 4711 ended with 0 ──────────────► Exits
//
// If the holder dies, the server notices at once. It becomes the holder itself, with [Become]: the same process, so that
// its children stay its children, and starts a server that takes everything back. If both die, nobody keeps anything;
// what the server has written to disk says what there was.
//
// A newer program takes over in the same way: [Link.Replace] hands the holder the file that it is to start servers from,
// the server becomes it by execve, and takes back what it gave to the holder. If that server does not get ready, the holder
// starts one of the program before.
//
// It exists on Linux only.
package holder

import (
	"errors"
	"os"
	"time"
)

// Role is the name under which package detached starts a holder again, after a holder or a server became one.
const Role = "kernel-holder"

// ErrSystem says that this system has no holders.
var ErrSystem = errors.New("holder: the kernel needs Linux, with pidfds and reapers of orphans (5.10 or newer)")

// ErrLost says that there is no holder any more.
var ErrLost = errors.New("holder: it has ended")

// Limits of what a holder keeps.
const (
	MaxFiles = 8         // descriptors under one key
	MaxNote  = 128 << 10 // bytes of a note, its key included; what is longer goes into a file of its own
	maxStray = 4096      // statuses of processes that nobody has named
)

// A Held is what is kept under a key. The Files are the holder's own, or, in a server, that server's.
type Held struct {
	Key   string
	Note  []byte  // whatever the server has to know about it
	Who   Process // if it is about a process, which one: how it ends is kept, too, until it is forgotten
	Files []*os.File
}

// A Process is one process and no other: numbers are used again, but not in the same instant since the system's start.
type Process struct {
	PID   int
	Start uint64 // in clock ticks since the system's start
}

// An Exit is how a process ended.
type Exit struct {
	Process
	Status int // as wait(2) tells it
	At     time.Time
}

// Options say how a holder works. Argv is that of servers; Env, Dir and the standard streams are the holder's own.
type Options struct {
	Argv []string // the program, and what has it be a server
	Held []Held   // what is kept from the beginning; the files are the holder's from then on

	// Ready, if not nil, is called once, when the first server is ready; not by Become.
	Ready func()
}
