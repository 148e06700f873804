//go:build !linux

package holder

import "os"

// A Link is a server's end of the line to its holder; there are none here. The nil Link holds nothing.
type Link struct{}

// Events are what a holder tells.
type Events struct {
	Exit   func(Exit)
	Failed func(key, reason string)
	Lost   func()
}

// A Past is what a holder has kept.
type Past struct {
	Held   []Held
	Exits  []Exit
	Holder int
	Fallen bool
}

// Run needs Linux.
func Run(Options) (code int, err error) { return 1, ErrSystem }

// Become needs Linux.
func Become(Options) error { return ErrSystem }

// Join needs Linux.
func Join() (*Link, Past, error) { return nil, Past{}, ErrSystem }

// Blob needs Linux.
func Blob(string, any) (*os.File, error) { return nil, ErrSystem }

// Listen has nothing to tell here.
func (l *Link) Listen(Events) {}

// Close ends nothing here.
func (l *Link) Close() {}

// Keep keeps nothing here.
func (l *Link) Keep(Held) error { return nil }

// KeepLater keeps nothing here.
func (l *Link) KeepLater(Held) {}

// Spare gives up nothing here.
func (l *Link) Spare(string) {}

// Kept is nothing here.
func (l *Link) Kept() []Held { return nil }

// Lost is never true here.
func (l *Link) Lost() bool { return false }

// HolderTerminated is never true here.
func (l *Link) HolderTerminated() bool { return false }

// Drop drops nothing here.
func (l *Link) Drop(string) error { return nil }

// DropLater drops nothing here.
func (l *Link) DropLater(string) {}

// Forget forgets nothing here.
func (l *Link) Forget(Process) error { return nil }

// Ready tells nobody here.
func (l *Link) Ready() error { return nil }

// Sync waits for nobody here.
func (l *Link) Sync() error { return nil }

// Replace needs Linux.
func (l *Link) Replace(*os.File) error { return ErrSystem }

// Renew needs Linux.
func (l *Link) Renew() error { return ErrSystem }

// Inherit needs Linux.
func (l *Link) Inherit() error { return ErrSystem }

// Disinherit does nothing here.
func (l *Link) Disinherit() {}
