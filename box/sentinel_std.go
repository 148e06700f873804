package box

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"path"
	"strconv"
)

type namedSentinel struct {
	name string
	err  error
}

// wellKnownSentinels are those of the standard library that a function may well return. The names travel: they never
// change.
func wellKnownSentinels() []namedSentinel {
	return []namedSentinel{
		{"io.EOF", io.EOF},
		{"io.ErrUnexpectedEOF", io.ErrUnexpectedEOF},
		{"io.ErrShortWrite", io.ErrShortWrite},
		{"io.ErrShortBuffer", io.ErrShortBuffer},
		{"io.ErrNoProgress", io.ErrNoProgress},
		{"io.ErrClosedPipe", io.ErrClosedPipe},
		{"fs.ErrNotExist", fs.ErrNotExist},
		{"fs.ErrExist", fs.ErrExist},
		{"fs.ErrPermission", fs.ErrPermission},
		{"fs.ErrInvalid", fs.ErrInvalid},
		{"fs.ErrClosed", fs.ErrClosed},
		{"fs.SkipDir", fs.SkipDir},
		{"fs.SkipAll", fs.SkipAll},
		{"os.ErrDeadlineExceeded", os.ErrDeadlineExceeded},
		{"os.ErrNoDeadline", os.ErrNoDeadline},
		{"os.ErrProcessDone", os.ErrProcessDone},
		{"os.ErrNoHandle", os.ErrNoHandle},
		{"context.Canceled", context.Canceled},
		{"context.DeadlineExceeded", context.DeadlineExceeded},
		{"exec.ErrNotFound", exec.ErrNotFound},
		{"exec.ErrDot", exec.ErrDot},
		{"exec.ErrWaitDelay", exec.ErrWaitDelay},
		{"net.ErrClosed", net.ErrClosed},
		{"net.ErrWriteToConnected", net.ErrWriteToConnected},
		{"errors.ErrUnsupported", errors.ErrUnsupported},
		{"strconv.ErrSyntax", strconv.ErrSyntax},
		{"strconv.ErrRange", strconv.ErrRange},
		{"path.ErrBadPattern", path.ErrBadPattern},
		{"bytes.ErrTooLarge", bytes.ErrTooLarge},
		{"bufio.ErrTooLong", bufio.ErrTooLong},
		{"bufio.ErrNegativeAdvance", bufio.ErrNegativeAdvance},
		{"bufio.ErrAdvanceTooFar", bufio.ErrAdvanceTooFar},
		{"bufio.ErrBadReadCount", bufio.ErrBadReadCount},
		{"bufio.ErrFinalToken", bufio.ErrFinalToken},
		{"bufio.ErrBufferFull", bufio.ErrBufferFull},
		{"bufio.ErrNegativeCount", bufio.ErrNegativeCount},
		{"bufio.ErrInvalidUnreadByte", bufio.ErrInvalidUnreadByte},
		{"bufio.ErrInvalidUnreadRune", bufio.ErrInvalidUnreadRune},
	}
}
