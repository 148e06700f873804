package holder

import (
	"errors"
	"time"

	"golang.org/x/sys/unix"
)

// Inherit prepares the link for an execve of this process: the next program finds it where Join looks. The holder sends
// everything at once, so that it is there even if the holder dies while this process becomes that program.
func (l *Link) Inherit() error {
	l.mu.Lock()
	l.muted = true
	l.mu.Unlock()
	_ = l.file.SetReadDeadline(time.Now())
	<-l.done
	if err := l.send(message{Op: opTell}); err != nil {
		return err
	}
	var err error
	failed := l.raw.Control(func(fd uintptr) {
		if fd != linkFile {
			err = unix.Dup3(int(fd), linkFile, 0)
			return
		}
		_, err = unix.FcntlInt(fd, unix.F_SETFD, 0)
	})
	return errors.Join(failed, err)
}

func (l *Link) isMuted() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.muted
}

// Disinherit undoes Inherit, when that or the execve has failed.
func (l *Link) Disinherit() {
	unix.CloseOnExec(linkFile)
	l.mu.Lock()
	l.muted = false
	l.mu.Unlock()
	_ = l.file.SetReadDeadline(time.Time{})
	l.done = make(chan struct{})
	go l.listen() // what was for the next program is known, and dropped
}
