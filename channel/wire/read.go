package wire

import (
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"slices"
)

// inbound is the reading half of a wire.
type inbound struct {
	source source
	limits Limits
	trace  *Trace
	socket *Socket             // where descriptors come from; nil for nowhere
	buf    []byte              // the payload of the last frame
	open   map[uint32]*message // incomplete messages by stream
	held   int64               // what they may come to hold
	closed bool                // the other side said that nothing more will come
	err    error               // the first one; nothing can be read after it
}

// Next returns the next frame. A message (call, reply, callback) comes once, when it is complete; the Data frames that it was
// made of do not show. Frames of a type that this package does not know come as they are, and are to be ignored.
//
// What comes after a Close on stream 0 is not the other side's: it goes to where noise goes, until the stream ends.
//
// The error is io.EOF if the stream ends between frames, and a *[FrameError] in every other case. It stays.
func (in *inbound) Next() (Frame, error) {
	for in.err == nil {
		if in.closed {
			in.err = in.last()
			break
		}
		f, done, err := in.frame()
		if err != nil {
			in.err = err
		} else if done {
			in.closed = f.Type == Close && f.Stream == 0
			return f, nil
		}
	}
	return Frame{}, in.err
}

// last reads on to the end of the stream.
func (in *inbound) last() error {
	at := in.source.offset()
	if err := in.source.drain(); err != nil {
		return &FrameError{Offset: at, Why: "after the last frame", Err: err}
	}
	return in.ended(at, io.EOF)
}

// frame reads one frame; done says that it, or the message that it completes, is for the caller.
func (in *inbound) frame() (f Frame, done bool, err error) {
	var h Header
	at := in.source.offset()
	if err := in.source.header(&h); err != nil {
		return f, false, in.ended(at, err)
	}
	in.trace.frame(inward, &h)
	if h.Reserved() != 0 {
		return f, false, h.at(at, ErrMangled, "its reserved bytes are %#04x, not zero", h.Reserved())
	}
	if h.Length() > MaxPayload {
		return f, false, h.at(at, ErrLimit, "its payload is %d bytes, more than the limit of %d", h.Length(), MaxPayload)
	}
	f = Frame{Type: h.Type(), Flags: h.Flags(), Stream: h.Stream()}
	if m := in.open[f.Stream]; m != nil && f.Type == Data {
		if err := in.fill(m, &h, at); err != nil || m.left > 0 {
			return f, false, err
		}
		in.close(f.Stream, m)
		return Frame{Type: m.typ, Flags: f.Flags, Stream: f.Stream, Segments: m.segments}, true, nil
	}
	in.buf = slices.Grow(in.buf[:0], int(h.Length()))[:h.Length()]
	sum := crc32.ChecksumIEEE(h[:summed])
	if err := in.piece(&h, at, in.buf, &sum); err != nil {
		return f, false, err
	}
	if err := h.check(at, sum); err != nil {
		return f, false, err
	}
	if f.Type.opensMessage() {
		return in.announced(&h, at, f)
	}
	f.Payload = in.buf
	if f.Type == Descriptor {
		f.Files, err = in.files(&h, at)
	}
	return f, true, err
}

// files takes the descriptors of a frame from where they came in.
func (in *inbound) files(h *Header, at int64) ([]*os.File, error) {
	if len(in.buf) != 4 {
		return nil, h.at(at, ErrProtocol, "got %d bytes, want 4 for the number of descriptors", len(in.buf))
	}
	n := binary.BigEndian.Uint32(in.buf)
	if n < 1 || n > maxDescriptors {
		return nil, h.at(at, ErrLimit, "it announces %d descriptors; it brings 1 to %d", n, maxDescriptors)
	}
	files := in.socket.take(int(n))
	if files == nil {
		return nil, h.at(at, ErrProtocol, "it announces %d descriptors, which did not come", n)
	}
	return files, nil
}

// Exchange gives the payload of the frame that Next returned last to the caller, who then owns it, and takes buf for
// those to come.
func (in *inbound) Exchange(buf []byte) []byte {
	mine := in.buf
	in.buf = buf[:0]
	return mine
}

// sip is how much is read between two looks at the checksum: what a pipe holds, and what is still in the cache. The
// sender fills the pipe again meanwhile.
const sip = 64 << 10

// piece reads len(p) bytes of a payload.
func (in *inbound) piece(h *Header, at int64, p []byte, sum *uint32) error {
	for part := range slices.Chunk(p, sip) {
		if err := in.source.read(part); err != nil {
			return h.at(at, err, "its payload of %d bytes is not complete", h.Length())
		}
		*sum = crc32.Update(*sum, crc32.IEEETable, part)
	}
	return nil
}

func (h *Header) check(at int64, sum uint32) error {
	if sum != h.Sum() {
		return h.at(at, ErrMangled, "its checksum is %08x, its bytes have %08x", h.Sum(), sum)
	}
	return nil
}

// ended says what it means that no header came.
func (in *inbound) ended(at int64, err error) error {
	switch {
	case err != io.EOF:
		return &FrameError{Offset: at, Why: "no complete frame", Err: err}
	case len(in.open) > 0:
		return &FrameError{Offset: at, Why: "the stream ends within a message", Err: io.ErrUnexpectedEOF}
	}
	return io.EOF
}
