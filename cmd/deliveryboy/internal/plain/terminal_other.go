//go:build !linux

package plain

import "golang.org/x/sys/unix"

const getTermios = unix.TIOCGETA
