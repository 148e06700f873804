//go:build !linux

package child

import (
	"context"
	"io/fs"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// Here there is no kernel of processes: Open says so.

var resources = map[string]int{}

// A Start is what a process needs besides its Spec: what the names of sockets in that stand for.
type Start struct {
	Args  []string
	Files []*os.File
	Count int
	Env   []string
}

// Make needs Linux.
func (t *Table) Make(Spec, func() (Start, func(), error)) (Info, error) { return Info{}, ErrSystem }

func (t *Table) restore(holder.Past) error { return ErrSystem }

func (p *process) signal(unix.Signal) error { return ErrSystem }

func (p *process) send(context.Context, []byte, time.Time) error { return ErrSystem }

// A lookout waits for nothing here.
type lookout struct{}

// A flow is none here.
type flow struct{ busy bool }

func newLookout(*sync.WaitGroup) (*lookout, error) { return &lookout{}, nil }

func (l *lookout) forget(*process) {}

func (l *lookout) close() {}

func bootID() (string, error) { return "", ErrSystem }

func mine(fs.FileInfo) bool { return true }

func canPunch(*os.File) error { return ErrSystem }

func punch(*os.File, int64, int64) {}

func firstData(*os.File) int64 { return 0 }
