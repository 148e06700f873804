// Package handover brings a worker's three streams to a server on a socket, which starts the worker on them.
//
// The connector is a copy of this program, "program __connect PATH SERVER NAMES", that transport.Socket has started. It does
// not copy bytes: it hands its own stdin, stdout and stderr over as descriptors, so that the worker has the very streams
// that the caller made, and then waits to end as the worker did. The connection is the connector's word that it lives: when it
// ends, the server ends the worker.
//
// Both sides look who the other one is, by what the system says of the socket's other end.
//
// A server on TCP has a connector too, "program __connect tls:HOST:PORT …". There TLS says who is who, in package
// transport/mtls, and a [Line] carries bytes, because descriptors do not travel. The section "Sockets" of transport/SPEC.md
// has the bytes of both.
package handover

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const (
	// Verb is the first argument of a connector.
	Verb = "__connect"

	// WorkerVerb is the first argument of a worker, which is the only thing that a server starts.
	WorkerVerb = "__deliver"

	// Prefix begins all that a connector says on stderr.
	Prefix = "deliveryboy connect: "
)

// Exit codes of a connector that brought no worker about. They follow sysexits.h.
const (
	exitUsage       = 64
	exitUnavailable = 69
	exitPermission  = 77
)

const (
	dialWait = 10 * time.Second      // for a server to take the connection
	dialStep = 20 * time.Millisecond // between two tries, while too many others wait
	// After its caller is gone, a worker has its grace to end, of a minute at most.
	orphaned = 70 * time.Second
	// What a caller has sent that is gone may take so long to find room.
	abandoned = 3 * time.Second
)

// Asked reports whether a program's arguments ask it to be a connector.
func Asked(argv []string) bool { return len(argv) >= 2 && argv[1] == Verb }

// Argv is the argv of a connector to the socket at path. The server has to be root's, this user's or, if given, the user's or
// "#uid"'s that server names. The names are those of a worker's argv, with commas; empty for all.
func Argv(program, path, server, names string) []string {
	argv := []string{program, Verb, path, server, names}
	for argv[len(argv)-1] == "" {
		argv = argv[:len(argv)-1]
	}
	return argv
}

// Main plays the connector and exits. argv is the program's own.
func Main(argv []string) {
	code, err := run(argv)
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s%v\n", Prefix, err)
	}
	syscall.Exit(code) // whatever the program hung on its exit is not run
}

func run(argv []string) (code int, err error) {
	if f, names, ok := farWords(argv); ok {
		return runFar(f, names)
	}
	if len(argv) < 3 || len(argv) > 5 {
		return exitUsage, errors.New("it is started by deliveryboy, not by hand")
	}
	words := append(argv[2:len(argv):len(argv)], "", "")
	conn, err := dial(words[0])
	if err != nil {
		return exitUnavailable, err
	}
	defer conn.Close()
	peer, err := PeerOf(conn)
	if err != nil {
		return exitUnavailable, fmt.Errorf("cannot tell who serves there: %w", err)
	}
	if err := trusts(peer, words[1]); err != nil {
		return exitPermission, err
	}
	asked := Ask(conn, words[2], os.Stdin, os.Stdout, os.Stderr)
	return wait(conn, asked)
}

// dial connects. While more wait than the system keeps, it tries again.
func dial(path string) (*net.UnixConn, error) {
	for deadline := time.Now().Add(dialWait); ; time.Sleep(dialStep) {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil || !errors.Is(err, syscall.EAGAIN) || time.Now().After(deadline) {
			return conn, err
		}
	}
}

// trusts refuses a server that is neither root nor this user, nor the one that was named.
func trusts(peer Peer, server string) error {
	if peer.UID == 0 || peer.UID == os.Geteuid() {
		return nil
	}
	if server == "" {
		return fmt.Errorf("not trusted: the server is of uid %d; name its user if that is right", peer.UID)
	}
	uid, err := UserID(server)
	if err == nil && uid != peer.UID {
		err = fmt.Errorf("not trusted: the server is of uid %d, and not of %s", peer.UID, server)
	}
	return err
}

// wait does nothing until the worker has ended, and says how.
func wait(conn *net.UnixConn, asked error) (code int, err error) {
	lines := bufio.NewReaderSize(conn, maxLine)
	for {
		line, err := lines.ReadSlice('\n')
		if err != nil {
			if asked != nil {
				err = asked
			}
			return exitUnavailable, fmt.Errorf("the server is gone: %w", err)
		}
		verb, rest, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), " ")
		n, _ := strconv.Atoi(rest)
		switch verb {
		case sayStarted:
			go endWithCaller() // ends with the process
			leave(1)           // its end has to show as soon as the worker ends
		case sayExit:
			return n & 0xff, nil
		case saySignal:
			return 128 + n&0x7f, nil
		case sayBusy:
			return exitUnavailable, fmt.Errorf("busy: %s", plain(rest))
		case sayRefused:
			return exitPermission, fmt.Errorf("refused: %s", plain(rest))
		default:
			return exitUnavailable, fmt.Errorf("the server said %.80q", line)
		}
	}
}

// endWithCaller ends this process some time after its caller is gone, in case that the server hangs.
func endWithCaller() {
	if hungUp(0) {
		leave(0)
		time.Sleep(orphaned)
		syscall.Exit(exitUnavailable)
	}
}

// leave puts /dev/null in the place of a descriptor.
func leave(fd int) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer null.Close()
	_ = replace(int(null.Fd()), fd)
}

// plain takes control characters out of what another process says.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return '?'
		}
		return r
	}, text)
}
