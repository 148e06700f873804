package holder

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// version is that of the messages. Both sides are this program, but maybe not of the same day.
const version = 1

// What a message is about. The first ones go to the holder, the others to the server.
const (
	opJoin    = "join"    // a server asks for all that is kept
	opTell    = "tell"    // send all that is kept to the program that this server becomes, before that asks
	opKeep    = "keep"    // keep this
	opDrop    = "drop"    // nothing but what is to be dropped
	opForget  = "forget"  // it is known how this process ended
	opReady   = "ready"   // the server works
	opReplace = "replace" // start servers from this file from now on
	opRenew   = "renew"   // become the program that servers are started from
	opSync    = "sync"    // answer this

	opHeld   = "held"   // this is kept
	opExit   = "exit"   // this process has ended
	opJoined = "joined" // that was all
	opFailed = "failed" // this cannot be kept
	opSynced = "synced" // everything up to here has been done
)

// A message is one packet on the socket between holder and server.
type message struct {
	Op      string    `json:"op"`
	Version int       `json:"version,omitempty"`
	Drops   []string  `json:"drops,omitempty"` // keys that are no longer kept, before anything else
	Key     string    `json:"key,omitempty"`
	Note    []byte    `json:"note,omitempty"`
	PID     int       `json:"pid,omitempty"`
	Start   uint64    `json:"start,omitempty"`
	Status  int       `json:"status,omitempty"`
	At      time.Time `json:"at,omitzero"`
	Files   int       `json:"files,omitempty"`
	Text    string    `json:"text,omitempty"`
	Serial  int       `json:"serial,omitempty"`

	fds []int // that come with it
}

// maxDrops is how many keys go along with a message. They are not longer than names, with something before them.
const maxDrops = 32

// maxPacket is the longest packet: a note is longer as JSON.
const maxPacket = MaxNote*4/3 + 16<<10

// pair makes a socket for both ends of a link. Packets keep their borders, and arrive also if the sender is dead by then.
func pair() (holders, servers *os.File, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("holder: %w", os.NewSyscallError("socketpair", err))
	}
	for _, fd := range fds {
		_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 2*maxPacket) // the system's limit may be less; tried below
	}
	return os.NewFile(uintptr(fds[0]), "link"), os.NewFile(uintptr(fds[1]), "link"), nil
}

// send sends a message, and waits while the other side has much to read.
func send(raw syscall.RawConn, m message) error {
	m.Files = len(m.fds)
	packet, err := json.Marshal(m)
	if err != nil {
		return err
	}
	if len(packet) > maxPacket || len(m.fds) > MaxFiles {
		return fmt.Errorf("holder: %s %q: %d bytes with %d descriptors; there may be %d with %d",
			m.Op, m.Key, len(packet), len(m.fds), maxPacket, MaxFiles)
	}
	var rights []byte
	if len(m.fds) > 0 {
		rights = unix.UnixRights(m.fds...)
	}
	waitErr := raw.Write(func(fd uintptr) bool {
		for {
			if err = unix.Sendmsg(int(fd), packet, rights, nil, unix.MSG_NOSIGNAL); err != unix.EINTR {
				return err != unix.EAGAIN
			}
		}
	})
	if waitErr != nil {
		return waitErr
	}
	return os.NewSyscallError("sendmsg", err)
}

// receive receives a message; io.EOF if the other side is gone. What comes with it is close-on-exec.
func receive(raw syscall.RawConn, packet []byte) (m message, err error) {
	rights := make([]byte, unix.CmsgSpace(4*(MaxFiles+1)))
	n, rightsN, flags := 0, 0, 0
	waitErr := raw.Read(func(fd uintptr) bool {
		for {
			n, rightsN, flags, err = receiveOnce(fd, packet, rights)
			// ECONNRESET says that the other side died before it had read all. What it sent is still there.
			if err != unix.EINTR && err != unix.ECONNRESET {
				return err != unix.EAGAIN
			}
		}
	})
	switch {
	case waitErr != nil:
		return m, waitErr
	case err != nil:
		return m, os.NewSyscallError("recvmsg", err)
	case n == 0:
		return m, io.EOF
	}
	fds := descriptors(rights[:rightsN])
	if flags&unix.MSG_TRUNC != 0 {
		closeAll(fds)
		return m, fmt.Errorf("holder: a packet of more than %d bytes", len(packet))
	}
	if err := json.Unmarshal(packet[:n], &m); err != nil {
		closeAll(fds)
		return m, fmt.Errorf("holder: a packet of %d bytes that is no message: %w", n, err)
	}
	m.fds = fds
	if flags&unix.MSG_CTRUNC != 0 || len(fds) != m.Files { // this process has no room for them
		closeAll(fds)
		m.fds, m.Text = nil, fmt.Sprintf("%d of its %d descriptors came: this process has as many open as it may", len(fds), m.Files)
	}
	return m, nil
}

func descriptors(rights []byte) []int {
	messages, err := unix.ParseSocketControlMessage(rights)
	if err != nil {
		return nil
	}
	var all []int
	for i := range messages {
		if fds, err := unix.ParseUnixRights(&messages[i]); err == nil {
			all = append(all, fds...)
		}
	}
	return all
}

// receiveOnce does not wait: the socket is one that never does. So Go's scheduler need not hear of it. It would wake a
// thread each time that looks whether a system call takes long, which takes longer than all that a holder does.
func receiveOnce(fd uintptr, packet, rights []byte) (n, rightsN, flags int, err error) {
	data := unix.Iovec{Base: &packet[0]}
	data.SetLen(len(packet))
	head := unix.Msghdr{Iov: &data, Control: &rights[0]}
	head.SetIovlen(1)
	head.SetControllen(len(rights))
	got, _, errno := unix.RawSyscall(unix.SYS_RECVMSG, fd, uintptr(unsafe.Pointer(&head)), unix.MSG_CMSG_CLOEXEC|unix.MSG_DONTWAIT)
	if errno != 0 {
		return 0, 0, 0, errno
	}
	return int(got), int(head.Controllen), int(head.Flags), nil
}

// closeAll does not tell the scheduler either.
func closeAll(fds []int) {
	for _, fd := range fds {
		_, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
	}
}
