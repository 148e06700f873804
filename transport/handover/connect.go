package handover

import (
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// connect plays the connector on a line: it carries this process's streams until the worker has ended, and says how.
func (l *Line) connect(names string) (code int, err error) {
	buf := make([]byte, maxRecord)
	_ = l.conn.SetReadDeadline(time.Now().Add(dialWait))
	verb, rest, err := l.word(buf)
	switch {
	case err != nil:
		return farFailure(err)
	case verb == sayBusy || verb == sayRefused:
		return heard(verb, rest)
	case verb != sayHello:
		return exitUnavailable, fmt.Errorf("the server said %.80q", verb)
	}
	_ = l.conn.SetReadDeadline(time.Time{})
	_ = l.conn.SetWriteDeadline(time.Now().Add(sayWait))
	if err := l.write(recordNames, append([]byte{version}, names...)); err != nil {
		return farFailure(err)
	}
	_ = l.conn.SetWriteDeadline(time.Time{})
	credit := &credit{left: window}
	credit.more.L = &credit.mu
	for {
		kind, payload, err := l.read(buf)
		if err != nil {
			return farFailure(err)
		}
		switch {
		case kind == recordOut:
			_, err = os.Stdout.Write(payload)
		case kind == recordErr:
			_, err = os.Stderr.Write(payload)
		case kind == recordCredit && len(payload) == 4:
			credit.add(int(binary.BigEndian.Uint32(payload)))
		case kind == recordWord:
			verb, rest, _ := strings.Cut(string(payload), " ")
			if verb == sayStarted {
				go l.sendIn(os.Stdin, credit) // ends with the process
				go credit.endWithCaller()
				continue
			}
			return heard(verb, rest)
		default:
			err = errRecord
		}
		if err != nil {
			return exitUnavailable, err
		}
	}
}

// farFailure says how a connection ended without a last word.
func farFailure(err error) (int, error) {
	if e := tlsFailure(err); e != nil {
		return e.Code, e
	}
	return exitUnavailable, fmt.Errorf("the server is gone: %w", noEnd(err))
}

// word reads a record that has to be a word.
func (l *Line) word(buf []byte) (verb, rest string, err error) {
	kind, payload, err := l.read(buf)
	if err == nil && kind != recordWord {
		err = errRecord
	}
	verb, rest, _ = strings.Cut(string(payload), " ")
	return verb, rest, err
}

// heard is what a connector makes of a server's last word.
func heard(verb, rest string) (code int, err error) {
	n, _ := strconv.Atoi(rest)
	switch verb {
	case sayExit:
		return n & 0xff, nil
	case saySignal:
		return 128 + n&0x7f, nil
	case sayBusy:
		return exitUnavailable, fmt.Errorf("busy: %s", plain(rest))
	case sayRefused:
		return exitPermission, fmt.Errorf("refused: %s", plain(rest))
	}
	return exitUnavailable, fmt.Errorf("the server said %.80q", verb+" "+rest)
}

// sendIn carries stdin to the server. Its end is the caller's, and some time later this process's, in case that the server
// hangs.
func (l *Line) sendIn(from io.Reader, c *credit) {
	buf := make([]byte, maxRecord)
	for {
		n, err := from.Read(buf[:c.wait(maxRecord)])
		c.add(-n)
		if n > 0 && l.write(recordIn, buf[:n]) != nil {
			return // reading tells why
		}
		if err != nil {
			c.ended.Store(true)
			_ = l.write(recordIn, nil)
			time.Sleep(orphaned)
			syscall.Exit(exitUnavailable)
		}
	}
}
