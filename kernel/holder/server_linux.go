package holder

import (
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A server is what the holder knows of the server that runs, or of the one that ran last.
type server struct {
	pid      int
	link     *os.File
	raw      syscall.RawConn
	messages chan message // closed when the link has ended
	outbox   *outbox
	began    time.Time
	first    bool // none has got ready before it
	heir     bool // none has run, but this process was one that worked
	ready    bool
	told     bool // it has been sent everything, before it asked
	done     bool
	status   syscall.WaitStatus
	fallen   bool // it is of an older program, because the newer one did not get ready
	quick    int  // how many in a row have died before they got ready
	flaps    int  // how many in a row have got ready and died soon
	timer    *time.Timer
}

// How long a holder waits before it starts a server again, when one after the other dies within flapTime.
const (
	flapTime  = 2 * time.Second
	firstWait = 100 * time.Millisecond
	readyWait = time.Second // at most, if they get ready
	mostWait  = 10 * time.Second
)

// backoff is how long to wait after n deaths in a row: not at all after the first one.
func backoff(n int, most time.Duration) time.Duration {
	if n <= 1 {
		return 0
	}
	return min(firstWait<<min(n-2, 10), most)
}

func (s *server) ended(status syscall.WaitStatus) { s.done, s.status = true, status }

// over reports whether the server has ended, all that it had said has been heard, and how.
func (s *server) over() (code int, over bool) {
	if !s.done || s.messages != nil {
		return 0, false
	}
	if s.status.Signaled() {
		return 128 + int(s.status.Signal()), true
	}
	return s.status.ExitStatus(), true
}

func (s *server) fate() string {
	if s.status.Signaled() {
		return "it was ended by signal " + s.status.Signal().String()
	}
	return fmt.Sprintf("it ended with exit code %d", s.status.ExitStatus())
}

func (s *server) timerC() <-chan time.Time {
	if s.timer == nil {
		return nil
	}
	return s.timer.C
}

func (s *server) kill() {
	if !s.done {
		_ = unix.Kill(s.pid, unix.SIGKILL) // our child, not reaped: nobody else has its number
	}
}

// again has a server started after one has died: at once, but not in a tight loop.
func (h *holder) again() {
	s := &h.server
	s.outbox.end()
	s.link.Close()
	wait := time.Duration(0)
	switch {
	case !s.ready:
		s.quick++
		wait = backoff(s.quick, mostWait)
	case time.Since(s.began) < flapTime:
		s.quick, s.flaps = 0, s.flaps+1
		wait = backoff(s.flaps, readyWait) // it can work
	default:
		s.quick, s.flaps = 0, 0
	}
	say("the server (process %d) is gone: %s; starting it again", s.pid, s.fate())
	if !s.ready && h.previous >= 0 {
		_ = unix.Close(h.program)
		h.program, h.previous, s.fallen = h.previous, -1, true
		say("it had not got ready: it is the program before that is started")
	}
	s.timer = time.NewTimer(wait)
}

// start starts a server. What fails now may not fail later.
func (h *holder) start() {
	s := &h.server
	first := s.first || s.pid == 0 && !s.heir
	*s = server{first: first, quick: s.quick, flaps: s.flaps, fallen: s.fallen, began: time.Now(), done: true, status: 1 << 8}
	ours, theirs, err := pair()
	if err == nil {
		defer theirs.Close()
		if s.pid, err = h.spawn(theirs); err == nil {
			s.done = false
			if err = h.meet(ours); err == nil {
				h.tellAll() // at once: what is on its way arrives even if this process dies meanwhile
				s.told = true
			}
		} else {
			ours.Close()
		}
	}
	if err != nil {
		say("a server cannot be started: %v", err)
		s.quick++
		s.pid = max(s.pid, 1)
		s.timer = time.NewTimer(mostWait)
	}
}

func (h *holder) spawn(link *os.File) (pid int, err error) {
	p, err := os.StartProcess(fmt.Sprintf("/proc/self/fd/%d", h.program), h.argv, &os.ProcAttr{
		Env:   os.Environ(),
		Files: []*os.File{os.Stdin, os.Stdout, os.Stderr, link},
		Sys:   &syscall.SysProcAttr{Setpgid: true}, // Ctrl-C is for the holder, which passes it on
	})
	if err != nil {
		return 0, err
	}
	pid = p.Pid
	return pid, p.Release() // reap waits for all children
}

// meet begins to hear what a server says.
func (h *holder) meet(link *os.File) error {
	raw, err := link.SyscallConn()
	if err != nil {
		return err
	}
	h.server.link, h.server.raw, h.server.outbox = link, raw, newOutbox(raw)
	h.server.listen()
	return nil
}

// listen starts the goroutine that receives. It ends with the link, and after a message that has this process become
// another program.
func (s *server) listen() {
	messages, raw := make(chan message), s.raw
	s.messages = messages
	go func() {
		defer close(messages)
		for packet := make([]byte, maxPacket); ; {
			m, err := receive(raw, packet)
			if err != nil {
				return
			}
			messages <- m
			if m.Op == opRenew {
				return
			}
		}
	}()
}

// tell tells the server something. What goes along stays open until it is sent.
func (s *server) tell(m message, along *bundle) {
	if s.outbox != nil {
		s.outbox.put(m, along)
	}
}
