// Package trampoline starts programs whose umask, resource limits or priority differ from this process's.
//
// Go can set a child's user and directory between fork and exec, but not these, and this process's own are shared by its
// threads. So a copy of this program is started first: "program __exec 5" gets its orders through descriptor 5, sets what
// they say, and becomes the program. Nobody else's descriptor or environment is involved: orders come through a socket of
// the parent's, which is above the three that sudo and its like leave open, and the copy has no variables but its own. On
// Linux the socket has to be one that was made with this process's user id: who has another one gives no orders, even where
// sudo, a setuid bit or a namespace lets descriptors through.
package trampoline

import (
	"encoding/binary"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"syscall"
)

// Verb is the first argument of such a copy.
const Verb = "__exec"

const (
	exitUsage = 64      // of sysexits.h
	maxOrders = 8 << 20 // bytes; the system takes less as argv and environment
	maxStep   = 256     // bytes of an answer
	firstFile = 3
)

// Orders say what a program is to be started as.
type Orders struct {
	Path      string // the file; relative to Dir
	OwnPID    string // a variable to set to the program's own process number; empty: none
	Argv, Env []string
	Dir       string // empty: as it is
	Umask     int    // -1: as it is
	Nice      int    // added to the priority
	Limits    []Limit
	Identity  *Identity // nil: as it is
}

// A Limit is a resource limit.
type Limit struct {
	Name       string // for people
	Resource   int    // the system's number
	Soft, Hard uint64
}

// Identity is a user, a group and more groups.
type Identity struct {
	UID, GID   uint32
	Groups     []uint32
	KeepGroups bool // leave the other groups as they are
}

// An Error says which step failed.
type Error struct {
	Step string // such as "umask"
	Err  error
}

func (e *Error) Error() string { return e.Step + ": " + e.Err.Error() }
func (e *Error) Unwrap() error { return e.Err }

// Asked reports whether a program's arguments ask it to be a trampoline.
func Asked(argv []string) bool { return len(argv) >= 2 && argv[1] == Verb }

// Main becomes the program that the orders name, or exits.
func Main(argv []string) {
	n := 0
	if len(argv) == 3 {
		n, _ = strconv.Atoi(argv[2])
	}
	if n < firstFile {
		refuse(errors.New("there is no number of one"))
	}
	syscall.CloseOnExec(n)
	if err := trusted(n); err != nil {
		refuse(err)
	}
	parent := os.NewFile(uintptr(n), "orders")
	o, err := readOrders(parent)
	if err != nil {
		refuse(err)
	}
	step, err := o.become()
	report(parent, step, err)
	os.Exit(exitUsage)
}

func refuse(why error) {
	fmt.Fprintf(os.Stderr, "deliveryboy: %s is not for people: its orders come through a socket of its parent: %v\n", Verb, why)
	os.Exit(exitUsage)
}

func readOrders(r io.Reader) (*Orders, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n > maxOrders {
		return nil, fmt.Errorf("orders of %d bytes: at most %d", n, maxOrders)
	}
	o := new(Orders)
	return o, gob.NewDecoder(io.LimitReader(r, int64(n))).Decode(o)
}

// report tells the parent what went wrong: a number for the error, and the step.
func report(w io.Writer, step string, err error) {
	no := syscall.EINVAL
	errors.As(err, &no)
	text := binary.BigEndian.AppendUint32(nil, uint32(no))
	_, _ = w.Write(append(text, step...))
}
