package worker

import (
	"encoding/binary"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// The words of a worker to its guardian: what it is about, and a duration in nanoseconds.
const (
	sayGrace     = 'g'
	sayHeartbeat = 'h'
	sayBeat      = 'b'
)

const wordSize = 9

// A ward is the worker's end of the line to its guardian. A nil one has none.
type ward struct {
	fd   int
	line *os.File // the same
}

// underGuard returns the line to the guardian; nil if there is none.
func underGuard() *ward {
	fd := guardSocket()
	_ = os.Unsetenv(guardVariable)
	if fd < 0 {
		return nil
	}
	unix.CloseOnExec(fd)
	_ = unix.SetNonblock(fd, true) // to wait for its end costs no thread
	return &ward{fd: fd, line: os.NewFile(uintptr(fd), "guardian")}
}

// say tells the guardian something.
func (w *ward) say(what byte, d time.Duration) {
	if w == nil {
		return
	}
	word := binary.BigEndian.AppendUint64([]byte{what}, uint64(d))
	_ = unix.Send(w.fd, word, unix.MSG_NOSIGNAL|unix.MSG_DONTWAIT)
}

// lost returns when the guardian is gone.
func (w *ward) lost() {
	var word [1]byte
	for {
		if _, err := w.line.Read(word[:]); err != nil {
			return
		}
	}
}

// beats shows the guardian that this process runs, if the caller asked for a heartbeat.
func (w *ward) beats(every time.Duration) {
	if w == nil || every <= 0 {
		return
	}
	w.say(sayHeartbeat, every)
	go func() { // ends with the process
		for range time.Tick(every / 2) {
			w.say(sayBeat, 0)
		}
	}()
}
