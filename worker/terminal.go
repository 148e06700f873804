package worker

import "golang.org/x/sys/unix"

// makeRaw makes a terminal pass bytes on as they are, and returns what takes that back. terminal is false if fd is none.
func makeRaw(fd int) (undo func(), terminal bool) {
	old, err := unix.IoctlGetTermios(fd, getTermios)
	if err != nil {
		return nil, false
	}
	raw := *old
	raw.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON
	raw.Oflag &^= unix.OPOST
	raw.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	raw.Cflag = raw.Cflag&^(unix.CSIZE|unix.PARENB) | unix.CS8
	raw.Cc[unix.VMIN], raw.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, setTermios, &raw); err != nil {
		return func() {}, true // it stays as it is; the text form copes
	}
	return func() { _ = unix.IoctlSetTermios(fd, setTermios, old) }, true
}
