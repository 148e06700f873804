package holder

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Link is a server's end of the line to its holder. The nil Link holds nothing: that of a kernel within another program.
// Its methods may be called from several goroutines; what is kept under one key has one owner.
type Link struct {
	file   *os.File
	raw    syscall.RawConn
	parent *os.File // the holder's pidfd; nil if there is none
	who    Process  // the holder
	events Events
	done   chan struct{} // closed when nothing more comes

	sending sync.Mutex // guards the order of packets; taken before mu

	mu     sync.Mutex // guards what follows
	serial int
	waits  map[int]chan string
	closed bool
	muted  bool                 // what comes is for the next program
	kept   map[string]Held      // what the holder keeps, for Kept
	drops  []string             // what it is to drop, but was not told yet
	late   map[string]time.Time // of kept, since when it is to keep this, but was not told yet
	later  *time.Timer          // tells it
	armed  bool                 // later is about to
}

// Events are what a holder tells. They are called one at a time, and must not wait for the Link. None may be nil.
type Events struct {
	Exit   func(Exit)               // a process that is kept has ended, and was not this server's child
	Failed func(key, reason string) // this is not kept
	Lost   func()                   // the holder is gone
}

// A Past is what a holder has kept.
type Past struct {
	Held   []Held
	Exits  []Exit
	Holder int  // the holder's process number
	Fallen bool // a replacement of the program did not get ready: this is the one before
}

// linkFile is the descriptor of a server's link.
const linkFile = 3

// syncWait is how long a holder may take to answer, or to read what it is sent. It has nothing else to do.
const syncWait = 30 * time.Second

// deaf is for a holder that does not do so.
func (l *Link) deaf(what string) error {
	return fmt.Errorf("holder: process %d %s for %s; if it is stopped, kill -CONT %d continues it", l.who.PID, what, syncWait, l.who.PID)
}

// Join opens the link of a server that a holder started, and takes back what that has kept.
func Join() (*Link, Past, error) {
	if err := unix.SetNonblock(linkFile, true); err != nil {
		return nil, Past{}, fmt.Errorf("holder: descriptor %d: %w; servers are started by holders", linkFile, err)
	}
	unix.CloseOnExec(linkFile)
	return join(os.NewFile(linkFile, "link"))
}

func join(file *os.File) (*Link, Past, error) {
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, Past{}, fmt.Errorf("holder: %w", err)
	}
	l := &Link{file: file, raw: raw, done: make(chan struct{}), waits: map[int]chan string{}, kept: map[string]Held{}, late: map[string]time.Time{}}
	past := Past{Holder: os.Getppid()}
	l.who = Process{PID: past.Holder, Start: StartOf(past.Holder)}
	if fd, err := unix.PidfdOpen(past.Holder, 0); err == nil {
		l.parent = os.NewFile(uintptr(fd), "pidfd")
	}
	// If the holder has died meanwhile, what it sent may still be there.
	if err := send(raw, message{Op: opJoin, Version: version}); err != nil && !errors.Is(err, unix.EPIPE) && !errors.Is(err, unix.ECONNRESET) {
		return nil, past, fmt.Errorf("holder: descriptor %d is no link: %w", linkFile, err)
	}
	for packet := make([]byte, maxPacket); ; {
		m, err := receive(raw, packet)
		if err != nil {
			return nil, past, fmt.Errorf("holder: taking back what was kept: %w", err)
		}
		switch m.Op {
		case opHeld:
			if m.Text != "" { // to go on without them would be to forget what they are of
				return nil, past, fmt.Errorf("holder: taking back %q: %s", m.Key, m.Text)
			}
			h := m.held()
			l.kept[h.Key] = h
			past.Held = append(past.Held, h)
		case opExit:
			past.Exits = append(past.Exits, m.exit())
		case opJoined:
			if m.Version != version {
				return nil, past, fmt.Errorf("holder: it speaks version %d, this program %d", m.Version, version)
			}
			past.Fallen = m.Text != ""
			return l, past, nil
		}
	}
}

func (m message) held() Held {
	h := Held{Key: m.Key, Note: m.Note, Who: Process{m.PID, m.Start}}
	for i, fd := range m.fds {
		h.Files = append(h.Files, os.NewFile(uintptr(fd), fmt.Sprintf("%s/%d", m.Key, i)))
	}
	return h
}

func (m message) exit() Exit { return Exit{Process{m.PID, m.Start}, m.Status, m.At} }

// Listen has the holder's events told from now on, until Close.
func (l *Link) Listen(e Events) {
	if l == nil {
		return
	}
	l.events = e
	go l.listen()
}

func (l *Link) listen() {
	defer close(l.done)
	for packet := make([]byte, maxPacket); ; {
		m, err := receive(l.raw, packet)
		if err != nil {
			if !l.isMuted() {
				l.end()
			}
			return
		}
		closeAll(m.fds) // none come now
		switch m.Op {
		case opExit:
			l.events.Exit(m.exit())
		case opFailed:
			l.events.Failed(m.Key, m.Text)
		case opSynced:
			l.answer(m.Serial, m.Text)
		}
	}
}

// end wakes whoever waits for the holder.
func (l *Link) end() {
	l.mu.Lock()
	deliberate := l.closed
	l.closed = true
	for serial, wait := range l.waits {
		close(wait)
		delete(l.waits, serial)
	}
	l.mu.Unlock()
	if !deliberate {
		l.events.Lost()
	}
}

func (l *Link) answer(serial int, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if wait := l.waits[serial]; wait != nil {
		wait <- text // has room for one
		delete(l.waits, serial)
	}
}

// Close ends the link. The holder sees its server go.
func (l *Link) Close() {
	if l == nil {
		return
	}
	_ = l.send(message{Op: opDrop})
	l.mu.Lock()
	l.closed = true
	if l.later != nil {
		l.later.Stop()
	}
	l.mu.Unlock()
	l.file.Close()
	<-l.done
}

// Keep has the holder keep something, in the place of what it kept under the same key. What Keep was called for survives
// this process, even if it dies now. The files stay the caller's, who has them open until Drop. Without a holder it is only
// remembered, for Kept: this process is about to take its place.
func (l *Link) Keep(h Held) error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	l.kept[h.Key] = h
	delete(l.late, h.Key)
	l.mu.Unlock()
	return withFDs(h.Files, nil, func(fds []int) error {
		err := l.send(h.message(fds))
		if errors.Is(err, unix.ETOOMANYREFS) { // as many are on their way as this user may have: wait until they have arrived
			if err = l.request(opSync); err == nil {
				err = l.send(h.message(fds))
			}
		}
		return unlessLost(err)
	})
}

func (h Held) message(fds []int) message {
	return message{Op: opKeep, Key: h.Key, Note: h.Note, PID: h.Who.PID, Start: h.Who.Start, fds: fds}
}

// unlessLost leaves out that there is no holder, where that changes nothing: what it would be told is remembered.
func unlessLost(err error) error {
	if errors.Is(err, ErrLost) {
		return nil
	}
	return err
}

// withFDs calls f with the descriptors of files, none of which is closed meanwhile; os.ErrClosed if one is closed already.
func withFDs(files []*os.File, fds []int, f func([]int) error) (err error) {
	if len(files) == 0 {
		return f(fds)
	}
	raw, err := files[0].SyscallConn()
	if err != nil {
		return err
	}
	failed := raw.Control(func(fd uintptr) { err = withFDs(files[1:], append(fds, int(fd)), f) })
	if failed != nil { // Control fails for nothing else
		return os.ErrClosed
	}
	return err
}

// Kept is all that the holder keeps, or kept when it was still there.
func (l *Link) Kept() []Held {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Collect(maps.Values(l.kept))
}

// Lost reports whether the holder is gone. There is none, and so none is gone, of the nil Link.
func (l *Link) Lost() bool {
	if l == nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

// diesWithin is how long a process may take to be dead that has closed its files.
const diesWithin = time.Second

// HolderTerminated reports whether the holder has died of SIGTERM or SIGINT, as far as the system tells: somebody has asked
// the kernel to end at a moment when the holder became another program, and could not hear it.
func (l *Link) HolderTerminated() bool {
	if l == nil || l.parent == nil {
		return false
	}
	raw, err := l.parent.SyscallConn()
	if err != nil {
		return false
	}
	_ = raw.Control(func(fd uintptr) {
		_, _ = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, int(diesWithin.Milliseconds()))
	})
	status, known := EndOf(l.parent, l.who)
	return known && isEnding(syscall.WaitStatus(status))
}

// isEnding reports whether a process died of what asks it to end.
func isEnding(s syscall.WaitStatus) bool {
	return s.Signaled() && (s.Signal() == unix.SIGTERM || s.Signal() == unix.SIGINT)
}

// Drop has the holder close what it keeps under a key.
func (l *Link) Drop(key string) error {
	l.DropLater(key)
	if l == nil {
		return nil
	}
	return unlessLost(l.send(message{Op: opDrop}))
}

// Forget tells the holder that it is known how a process ended.
func (l *Link) Forget(p Process) error {
	if l == nil {
		return nil
	}
	return l.send(message{Op: opForget, PID: p.PID, Start: p.Start})
}

// Ready tells the holder that this server works. One that dies before is taken for one that cannot. That the holder is gone
// is no error of Ready: see Events.
func (l *Link) Ready() error {
	if l == nil {
		return nil
	}
	return unlessLost(l.send(message{Op: opReady}))
}

// Replace has servers started from another file, which is open here, until one that was started from it dies before it is
// ready. The caller checks it before.
func (l *Link) Replace(program *os.File) error {
	return withFDs([]*os.File{program}, nil, func(fds []int) error {
		return l.send(message{Op: opReplace, fds: fds})
	})
}

// Renew has the holder become the program that servers are started from, and waits until it works.
func (l *Link) Renew() error { return l.request(opRenew) }

// Sync waits until the holder has done all that it was told, or was to be told later.
func (l *Link) Sync() error {
	if l == nil {
		return nil
	}
	l.catchUp(time.Now())
	return l.request(opSync)
}

func (l *Link) request(op string) error {
	wait := make(chan string, 1)
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return ErrLost
	}
	l.serial++
	serial := l.serial
	l.waits[serial] = wait
	l.mu.Unlock()
	if err := l.send(message{Op: op, Serial: serial}); err != nil {
		return err
	}
	timeout := time.NewTimer(syncWait)
	defer timeout.Stop()
	select {
	case text, ok := <-wait:
		if !ok {
			return ErrLost
		}
		if text != "" {
			return errors.New("holder: " + text)
		}
		return nil
	case <-timeout.C:
		return l.deaf("has not answered")
	}
}

func (l *Link) send(m message) error {
	l.sending.Lock()
	defer l.sending.Unlock()
	return l.post(m, maxDrops)
}

// post sends a message, and with it some of what is to be dropped. The caller has sending.
func (l *Link) post(m message, drops int) error {
	n, err := l.addDrops(&m, drops)
	if err != nil || m.Op == opDrop && n == 0 { // they went along with something else
		return err
	}
	_ = l.file.SetWriteDeadline(time.Now().Add(syncWait))
	err = send(l.raw, m)
	switch {
	case err == nil:
		l.dropped(n)
	case errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET):
		return ErrLost
	case errors.Is(err, os.ErrDeadlineExceeded):
		return l.deaf("has read nothing")
	}
	return err
}
