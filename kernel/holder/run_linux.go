package holder

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"slices"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A holder is all that one keeps. One goroutine has it.
type holder struct {
	argv     []string
	kept     map[string]*thing
	order    []string // of the keys, as they came
	exits    map[Process]Exit
	strays   []Process // of exits, those that belong to nothing that is kept, oldest first
	program  int       // descriptor of the file that servers are started from
	previous int       // of the one before, until a server of the program has been ready; -1: none

	server  server
	first   func() // called when the first server is ready; nil: nothing is, or no more
	signals chan os.Signal
	ends    chan os.Signal // SIGTERM and SIGINT
	stop    bool           // the server has been told to end
	owed    bool           // a server died of being told so, when it could not listen: the next one is told
}

// A thing is what is kept under a key. Its descriptors are plain numbers: as files they would wake this process whenever
// something comes in.
type thing struct {
	note  []byte
	who   Process
	files *bundle
}

// How long a server has before it is killed: to end after a signal, and to become another program and get ready.
const (
	stopWait   = 20 * time.Second
	becomeWait = time.Minute
)

// Run is the life of a holder: it starts a server and keeps what that gives it. It returns when the server has ended of its
// own accord, or after a SIGTERM or SIGINT, which it passes on; or if a server cannot even get ready for the first time.
// The result is the exit code of that server.
func Run(o Options) (code int, err error) {
	h := &holder{argv: o.Argv, first: o.Ready, kept: map[string]*thing{}, exits: map[Process]Exit{}, previous: -1}
	if h.program, err = self(); err != nil {
		return 1, err
	}
	for _, held := range o.Held {
		if err := h.own(held); err != nil {
			return 1, err
		}
	}
	h.prepare()
	return h.loop()
}

// self opens the file of this program, whatever stands under its name by now. The descriptor is not one of those that a
// server gets, in the place of which it would get the link, before it is started from this one.
func self() (fd int, err error) {
	low, err := unix.Open("/proc/self/exe", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("holder: /proc/self/exe: %w", err)
	}
	defer func() { _ = unix.Close(low) }()
	if fd, err = unix.FcntlInt(uintptr(low), unix.F_DUPFD_CLOEXEC, linkFile+1); err != nil {
		return -1, fmt.Errorf("holder: /proc/self/exe: %w", err)
	}
	return fd, nil
}

// own keeps what came from within this process.
func (h *holder) own(held Held) error {
	m := message{Op: opKeep, Key: held.Key, Note: held.Note, PID: held.Who.PID, Start: held.Who.Start}
	err := withFDs(held.Files, nil, func(fds []int) error {
		for _, fd := range fds {
			copied, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, linkFile+1)
			if err != nil {
				return fmt.Errorf("holder: %q: %w", held.Key, err)
			}
			m.fds = append(m.fds, copied)
		}
		return nil
	})
	for _, f := range held.Files {
		f.Close()
	}
	h.keep(m)
	return err
}

// prepare makes this process the reaper of what its descendants leave behind, and listens to signals.
func (h *holder) prepare() {
	runtime.GOMAXPROCS(1) // there is little to do, and nothing at the same time
	_ = unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
	h.signals, h.ends = make(chan os.Signal, 16), make(chan os.Signal, 1)
	// SIGHUP and SIGPIPE are not ignored but not listened to: what is ignored would be so in all that is started.
	signal.Notify(h.signals, unix.SIGCHLD, unix.SIGHUP, unix.SIGPIPE)
	h.hear()
}

func (h *holder) hear() { signal.Notify(h.ends, unix.SIGTERM, unix.SIGINT) }

// deafen is for a holder that is about to become another program. From now on a signal to end ends it at once, and its server
// sees that, and ends: none is lost between two programs. One that has come before is an error, and is obeyed.
func (h *holder) deafen() error {
	signal.Stop(h.ends)
	select {
	case <-h.ends:
		h.signalled()
	default:
	}
	if h.stop {
		h.hear()
		return errors.New("the kernel is about to end")
	}
	return nil
}

func (h *holder) loop() (int, error) {
	defer signal.Stop(h.signals)
	defer signal.Stop(h.ends)
	if h.server.pid == 0 {
		h.start()
	}
	h.reap() // before this program there may have been another one
	for {
		if code, over := h.server.over(); over && isEnding(h.server.status) && !h.owed {
			h.stop, h.owed = false, true
			h.again()
		} else if over && (h.stop || code == 0) {
			return code, nil
		} else if over && h.server.first {
			return code, fmt.Errorf("holder: the server could not start: %s", h.server.fate())
		} else if over && h.server.timer == nil {
			h.again()
		}
		select {
		case <-h.signals:
			h.reap()
		case <-h.ends:
			h.signalled()
		case m, ok := <-h.server.messages:
			if !ok {
				h.server.messages = nil
				continue
			}
			h.handle(m)
		case <-h.server.timerC():
			h.server.timer = nil
			if h.server.done && !h.stop {
				h.start()
				continue
			}
			if !h.stop {
				say("the server (process %d) has not got ready for %s since it was to become another program", h.server.pid, becomeWait)
			}
			h.server.kill()
		}
	}
}

// signalled has the server end.
func (h *holder) signalled() {
	if h.stop {
		return
	}
	h.stop = true
	if _, over := h.server.over(); over {
		h.server.status = 0 // between two servers: there is none to wait for
		return
	}
	_ = unix.Kill(h.server.pid, unix.SIGTERM)
	h.server.timer = time.NewTimer(stopWait)
}

func (h *holder) handle(m message) {
	for _, key := range m.Drops {
		h.drop(key)
	}
	switch m.Op {
	case opJoin:
		if !h.server.told {
			h.tellAll()
		}
		h.server.told = false // should it become another program, that asks again
	case opTell:
		h.tellAll()
		h.server.told = true
	case opKeep:
		if m.Text != "" {
			h.server.tell(message{Op: opFailed, Key: m.Key, Text: m.Text}, nil)
			return
		}
		h.keep(m)
		m.fds = nil
	case opForget:
		delete(h.exits, Process{m.PID, m.Start})
	case opReady:
		h.server.ready, h.server.first = true, false
		if h.first != nil {
			h.first()
			h.first = nil
		}
		if !h.stop {
			h.server.timer = nil
		}
		if h.previous >= 0 {
			_ = unix.Close(h.previous)
			h.previous = -1
		}
		if h.owed {
			h.signalled()
		}
	case opReplace:
		h.replace(m)
		m.fds = nil
	case opSync:
		h.server.tell(message{Op: opSynced, Serial: m.Serial}, nil)
	case opRenew:
		err := h.renew(m.Serial) // returns only if it failed
		h.server.tell(message{Op: opSynced, Serial: m.Serial, Text: err.Error()}, nil)
		h.server.listen()
	}
	closeAll(m.fds)
}

func (h *holder) keep(m message) {
	h.drop(m.Key)
	h.kept[m.Key] = &thing{note: m.Note, who: Process{m.PID, m.Start}, files: newBundle(m.fds)}
	h.order = append(h.order, m.Key)
	who := Process{m.PID, m.Start}
	if exit, ended := h.exits[who]; ended && m.PID != 0 { // it was quicker
		h.strays = slices.DeleteFunc(h.strays, func(p Process) bool { return p == who })
		h.server.tell(messageOf(exit), nil)
	}
}

func (h *holder) drop(key string) {
	t := h.kept[key]
	if t == nil {
		return
	}
	t.files.drop()
	delete(h.kept, key)
	if _, ended := h.exits[t.who]; ended {
		h.stray(t.who)
	}
	h.order = slices.DeleteFunc(h.order, func(k string) bool { return k == key })
}

func (h *holder) replace(m message) {
	if len(m.fds) != 1 {
		closeAll(m.fds)
		return
	}
	if h.previous >= 0 { // two replacements without a server that got ready: the older one is known to work
		_ = unix.Close(h.program)
	} else {
		h.previous = h.program
	}
	h.program = m.fds[0]
	h.server.ready = false // what comes next has to show that it works
	if !h.stop {
		h.server.timer = time.NewTimer(becomeWait)
	}
}

// tellAll tells a server all that is kept.
func (h *holder) tellAll() {
	for _, key := range h.order {
		t := h.kept[key]
		h.server.tell(message{Op: opHeld, Key: key, Note: t.note, PID: t.who.PID, Start: t.who.Start}, t.files)
	}
	for _, e := range h.exits {
		h.server.tell(messageOf(e), nil)
	}
	m := message{Op: opJoined, Version: version}
	if h.server.fallen {
		m.Text, h.server.fallen = "fallen", false
	}
	h.server.tell(m, nil)
}

func messageOf(e Exit) message {
	return message{Op: opExit, PID: e.PID, Start: e.Start, Status: e.Status, At: e.At}
}

func say(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "deliveryboy: kernel: "+format+"\n", args...)
}

// reap takes note of every child that has ended: SIGCHLD of two may come as one.
func (h *holder) reap() {
	for {
		var info unix.Siginfo
		if err := unix.Waitid(unix.P_ALL, 0, &info, unix.WEXITED|unix.WNOHANG|unix.WNOWAIT, nil); err != nil {
			if err == unix.EINTR {
				continue
			}
			return
		}
		pid := pidOf(&info)
		if pid == 0 {
			return
		}
		who := Process{PID: pid, Start: StartOf(pid)}
		var status syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &status, syscall.WNOHANG, nil); err != nil {
			continue
		}
		if pid == h.server.pid {
			h.server.ended(status)
			if !h.stop {
				h.server.timer = nil // it was for what is over
			}
			continue
		}
		h.note(Exit{Process: who, Status: int(status), At: time.Now()})
	}
}

// note keeps an exit. That of a process that is not known is kept, too: its name may be on its way here.
func (h *holder) note(e Exit) {
	h.exits[e.Process] = e
	for _, t := range h.kept {
		if t.who == e.Process {
			h.server.tell(messageOf(e), nil)
			return
		}
	}
	h.stray(e.Process)
}

func (h *holder) stray(p Process) {
	h.strays = append(h.strays, p)
	if len(h.strays) > maxStray {
		delete(h.exits, h.strays[0])
		h.strays = h.strays[1:]
	}
}
