//go:build darwin || freebsd || netbsd || openbsd || dragonfly

package worker

import "golang.org/x/sys/unix"

const (
	fionread   = 0x4004667f // FIONREAD of <sys/filio.h>
	getTermios = unix.TIOCGETA
	setTermios = unix.TIOCSETA
)
