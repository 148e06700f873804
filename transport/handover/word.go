package handover

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/user"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// version is the first byte of a connection, and carries the descriptors.
const version = '1'

// TextMark is the first byte of a connection that carries no descriptors, but lines of text.
const TextMark = '{'

const (
	streams  = 3       // stdin, stdout and stderr
	maxNames = 1 << 17 // bytes of names, as in an argument
	maxLine  = 4 << 10 // bytes of an answer
	sayWait  = 10 * time.Second
)

// What a server says, with a number or a text behind it.
const (
	sayStarted = "started" // the number of the process
	sayExit    = "exit"    // its exit code
	saySignal  = "signal"  // what ended it
	sayRefused = "refused" // why there is none
	sayBusy    = "busy"    // why there is none now
)

// Ask asks a server for a worker on three streams, which stay open here, narrowed to names, with commas, if there are any.
func Ask(conn *net.UnixConn, names string, in, out, err *os.File) error {
	rights := syscall.UnixRights(int(in.Fd()), int(out.Fd()), int(err.Fd()))
	if _, _, err := conn.WriteMsgUnix([]byte{version}, rights, nil); err != nil {
		return err
	}
	_, failed := io.WriteString(conn, names+"\n")
	return failed
}

// A Request is what came over a connection. Whoever receives it closes its files.
type Request struct {
	Names []string // of functions; none for all
	Files [streams]*os.File
	Text  bool // it begins with TextMark, behind which nothing was read
}

// Close closes the files.
func (r *Request) Close() {
	for _, f := range r.Files {
		if f != nil {
			f.Close()
		}
	}
}

// Receive reads a request, until a deadline of the connection's. The files are pipes or unix sockets: nothing else can be
// made to do more in the hands of a server than in those of whoever sent it.
func Receive(conn *net.UnixConn) (*Request, error) {
	first, rights := make([]byte, 1), make([]byte, syscall.CmsgSpace(streams*4))
	n, size, flags, _, err := conn.ReadMsgUnix(first, rights)
	if err != nil {
		return nil, err
	}
	if n == 1 && size == 0 && flags&syscall.MSG_CTRUNC == 0 && first[0] == TextMark {
		return &Request{Text: true}, nil
	}
	r := &Request{}
	if err := r.take(rights[:size]); err != nil {
		r.Close()
		return nil, err
	}
	switch {
	case n == 0:
		err = io.ErrUnexpectedEOF
	case flags&syscall.MSG_CTRUNC != 0 || r.Files[streams-1] == nil || first[0] != version:
		err = errors.New("it does not begin as a connector does")
	default:
		r.Names, err = readNames(conn)
	}
	if err != nil {
		r.Close()
		return nil, err
	}
	return r, nil
}

// take takes over the descriptors that came.
func (r *Request) take(rights []byte) error {
	messages, err := syscall.ParseSocketControlMessage(rights)
	if err != nil {
		return err
	}
	count := 0
	for i := range messages {
		fds, err := syscall.ParseUnixRights(&messages[i])
		if err != nil {
			return err
		}
		for _, fd := range fds {
			f := os.NewFile(uintptr(fd), "stream "+strconv.Itoa(count))
			if count++; count > streams {
				f.Close()
				continue
			}
			r.Files[count-1] = f
		}
	}
	if count != streams {
		return fmt.Errorf("%d descriptors came instead of %d", count, streams)
	}
	for i, f := range r.Files {
		if !harmless(f) {
			return fmt.Errorf("descriptor %d is neither a pipe nor a unix socket", i)
		}
	}
	return nil
}

func readNames(conn *net.UnixConn) ([]string, error) {
	line, err := bufio.NewReader(io.LimitReader(conn, maxNames+1)).ReadString('\n')
	if err != nil {
		return nil, fmt.Errorf("the names of functions: %w", err)
	}
	if line == "\n" {
		return nil, nil
	}
	return strings.Split(strings.TrimSuffix(line, "\n"), ","), nil
}

// Started says that the worker is there.
func Started(conn *net.UnixConn, pid int) error { return say(conn, sayStarted, strconv.Itoa(pid)) }

// Ended says how the worker ended. After it nothing may be said.
func Ended(conn *net.UnixConn, status syscall.WaitStatus) error {
	if status.Signaled() {
		return say(conn, saySignal, strconv.Itoa(int(status.Signal())))
	}
	return say(conn, sayExit, strconv.Itoa(status.ExitStatus()))
}

// Refused says why there is no worker. After it nothing may be said.
func Refused(conn *net.UnixConn, why error) error { return say(conn, sayRefused, why.Error()) }

// Busy says why there is no worker now, though later there may be. After it nothing may be said.
func Busy(conn *net.UnixConn, why error) error { return say(conn, sayBusy, why.Error()) }

func say(conn *net.UnixConn, verb, text string) error {
	text = plain(text)
	text = text[:min(len(text), maxLine/2)]
	_ = conn.SetWriteDeadline(time.Now().Add(sayWait))
	_, err := io.WriteString(conn, verb+" "+text+"\n")
	return err
}

// UserID is the number of a user, by name or as "#uid".
func UserID(name string) (int, error) {
	if id, isID := strings.CutPrefix(name, "#"); isID {
		return number(id)
	}
	u, err := user.Lookup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(u.Uid)
}

// GroupID is the number of a group, by name or as "#gid".
func GroupID(name string) (int, error) {
	if id, isID := strings.CutPrefix(name, "#"); isID {
		return number(id)
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(g.Gid)
}

func number(id string) (int, error) {
	n, err := strconv.ParseUint(id, 10, 32)
	if err != nil || n == 1<<32-1 || strconv.FormatUint(n, 10) != id {
		return 0, fmt.Errorf("#%.20s is no number of a user or group", id)
	}
	return int(n), nil
}
