package wire

import (
	"errors"
	"fmt"
	"os"
)

// A Frame is what [Wire.Next] returns: a frame, or a whole message.
type Frame struct {
	Type     Type
	Flags    Flags
	Stream   uint32
	Payload  []byte     // valid until the next call of Next; nil for a message
	Segments [][]byte   // of a message; they belong to whoever got them
	Files    []*os.File // of a Descriptor frame; whoever gets them has to close them
}

const (
	maxDescriptors = 8  // that one frame may bring
	maxWaiting     = 16 // that may have come and not been taken
)

// End says whether the frame is the last of its stream and direction.
func (f Frame) End() bool { return f.Flags&End != 0 }

// What is wrong with a stream of frames; they are found in a [FrameError] with errors.Is. A stream that was cut wraps
// io.ErrUnexpectedEOF instead.
var (
	ErrMangled  = errors.New("the path changes bytes, or something else writes to it")
	ErrLimit    = errors.New("over the limit")
	ErrProtocol = errors.New("against the protocol")
)

// A FrameError says that the stream of frames cannot be read any further, or that a frame cannot be written.
type FrameError struct {
	Type   Type   // of the frame; 0 if it is not known
	Stream uint32 // of the frame
	Offset int64  // where the frame begins, in bytes from the beginning of the wire; -1 when it was to be written
	Why    string
	Err    error // the cause: one of the Err values here, io.ErrUnexpectedEOF, or what the reader or writer said
}

func (e *FrameError) Error() string {
	text := "wire: "
	if e.Type != 0 {
		text += fmt.Sprintf("%s frame on stream %d: ", e.Type, e.Stream)
	}
	text += e.Why
	if e.Offset >= 0 {
		text += fmt.Sprintf(", at byte %d", e.Offset)
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

func (e *FrameError) Unwrap() error { return e.Err }

// at returns the error of a frame that came in.
func (h *Header) at(offset int64, cause error, format string, args ...any) *FrameError {
	return &FrameError{Type: h.Type(), Stream: h.Stream(), Offset: offset, Why: fmt.Sprintf(format, args...), Err: cause}
}
