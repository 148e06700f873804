package channel

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"

	"github.com/seed354a1416/deliveryboy/box"
)

// Live values stay on the side that has them while a call runs; the other side gets a stand-in that is connected with
// them by a stream. What each kind does:
//
//	io.Reader        nothing is read before the function reads; then at most a window, 256 KiB, ahead. The reader's error
//	                 is the function's. A Read that hangs when the call is over is left alone, as os/exec does.
//	io.Writer        what the function has written has reached the writer when the call returns. An error of the writer
//	                 is that of the function's next Write, or of the call, if the function wrote no more.
//	… Closer         a Close of the function closes the original, and returns its error. The end of the call does not.
//	<-chan T         items are taken from the channel as the function takes them, at most one ahead; its close arrives.
//	chan<- T         items arrive in order; a close of the function closes the original. The end of the call does not.
//	func(…)          runs where it is from, in a goroutine of its own: concurrently, if the function calls it so, but no
//	                 more than 64 at once. One that blocks holds its caller only. Its error, or panic, is the
//	                 stand-in's: where it has no error result, the stand-in panics. A leading context is cancelled when
//	                 the call is over, and Deliver waits for it.
//	*slog.Logger     records arrive with level, message, attributes, groups, source and original time.
//	fs.FS            files are opened, read and listed where they are.
//	*os.File         the open file itself passes, on one machine, through self, sudo and userns.
//	*Channel[T]      the function has the other end. It is closed when the call is over, if not before.
//
// Results may be io.ReadCloser, *os.File and *Channel[T]; a reader lives until it is closed or at its end. A nil value is
// nil on the other side. A stand-in that is used after its call gives [ErrCallEnded].

// ErrCallEnded is what the stand-in of a live value gives when its call is over.
var ErrCallEnded = errors.New("channel: the call that this belongs to is over")

var (
	fileType   = reflect.TypeFor[*os.File]()
	loggerType = reflect.TypeFor[*slog.Logger]()
	fsType     = reflect.TypeFor[fs.FS]()
	closerType = reflect.TypeFor[io.Closer]()
	readType   = reflect.TypeFor[io.Reader]()
	writeType  = reflect.TypeFor[io.Writer]()
	errorType  = reflect.TypeFor[error]()
	endType    = reflect.TypeFor[end]()
)

// streams are the interfaces of package io that are bridged.
var streams = map[reflect.Type]bool{
	reflect.TypeFor[io.Reader](): true, reflect.TypeFor[io.Writer](): true, reflect.TypeFor[io.ReadCloser](): true,
	reflect.TypeFor[io.WriteCloser](): true, reflect.TypeFor[io.ReadWriter](): true,
	reflect.TypeFor[io.ReadWriteCloser](): true,
}

// LiveKind says what kind of live argument or result a type is; "" if it travels by value.
func LiveKind(t reflect.Type, result bool) string {
	switch {
	case t == fileType:
		return "an open file"
	case t.Implements(endType):
		return "a typed channel"
	case t == reflect.TypeFor[io.ReadCloser]():
		return "a live stream"
	case result:
		return ""
	case streams[t]:
		return "a live stream"
	case t == loggerType:
		return "a live logger"
	case t == fsType:
		return "a live file system"
	case t.Kind() == reflect.Func:
		return "a callback"
	case t.Kind() == reflect.Chan && t.ChanDir() != reflect.BothDir:
		return "a live channel"
	}
	return ""
}

// CheckLive reports what in a live type cannot travel: the items of a channel, the arguments and results of a callback.
func CheckLive(t reflect.Type, depth int) error {
	switch {
	case t.Implements(endType):
		return reflect.Zero(t).Interface().(end).check(depth)
	case t.Kind() == reflect.Func:
		_, err := callbackOf(t, depth)
		return err
	case t.Kind() == reflect.Chan:
		_, err := box.NewCodec("item", []reflect.Type{t.Elem()}, depth)
		return err
	}
	return nil
}

func unbridged(what string, t reflect.Type) error {
	return &box.EncodingError{What: what, Why: fmt.Sprintf("%s cannot be bridged", t)}
}
