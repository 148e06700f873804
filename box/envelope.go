package box

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

// A Nonce tells the envelopes of one call from everything else. The zero nonce is none, and refused everywhere.
type Nonce = armour.Nonce

// NewNonce returns a nonce that nobody can guess.
func NewNonce() Nonce { return armour.NewNonce() }

// AnyNonce makes [Unpack] and [UnpackReply] accept every nonce. It is for people who look at a saved envelope: an
// envelope that is to be trusted must have the nonce of its call.
var AnyNonce = armour.Any

// MaxEnvelope is how many bytes an envelope may hold: 256 MiB, before base64.
const MaxEnvelope = 256 << 20

// These are found with errors.Is in the *[EncodingError] of [Unpack] and [UnpackReply].
var (
	ErrNoBox  = errors.New("no envelope") // nothing in the input looks like one
	ErrReplay = errors.New("an envelope with another nonce: of another call, or a replay")
)

// The markers' labels. A terminal may echo what is sent to it, so the two directions have different ones.
const (
	boxLabel   = "DELIVERY BOX"
	replyLabel = "DELIVERY REPLY"
)

// Pack puts a box in its envelope: base64 between two marker lines, as internal/armour writes them. What is in there is
// the box's segments: their number (4 bytes, big endian), the length of each (8 bytes), and then all their bytes.
func Pack(b *Box, nonce Nonce) ([]byte, error) {
	if b == nil {
		return nil, &EncodingError{What: "envelope", Why: "no box"}
	}
	segs, err := b.Segments()
	if err != nil {
		return nil, err
	}
	return pack(boxLabel, nonce, segs)
}

// PackReply puts a reply in its envelope.
func PackReply(r *Reply, nonce Nonce) ([]byte, error) {
	if r == nil {
		return nil, &EncodingError{What: "envelope", Why: "no reply"}
	}
	segs, err := r.Segments()
	if err != nil {
		return nil, err
	}
	return pack(replyLabel, nonce, segs)
}

// Unpack finds a box in data, whatever stands around it and between its lines, and returns it with the bytes before and
// after its envelope. Of several with the right nonce the last complete one counts. All errors are *[EncodingError].
func Unpack(data []byte, nonce Nonce) (b *Box, prefix, suffix []byte, err error) {
	segs, prefix, suffix, err := unpack(boxLabel, data, nonce)
	if err == nil {
		b, err = BoxFromSegments(segs)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return b, prefix, suffix, nil
}

// UnpackReply finds a reply in data, as [Unpack] finds a box.
func UnpackReply(data []byte, nonce Nonce) (r *Reply, prefix, suffix []byte, err error) {
	segs, prefix, suffix, err := unpack(replyLabel, data, nonce)
	if err == nil {
		r, err = ReplyFromSegments(segs)
	}
	if err != nil {
		return nil, nil, nil, err
	}
	return r, prefix, suffix, nil
}

func pack(label string, nonce Nonce, segs [][]byte) ([]byte, error) {
	table := binary.BigEndian.AppendUint32(nil, uint32(len(segs)))
	size := int64(4 + 8*len(segs))
	for _, s := range segs {
		table = binary.BigEndian.AppendUint64(table, uint64(len(s)))
		size += int64(len(s))
	}
	if size > MaxEnvelope {
		return nil, &EncodingError{What: "envelope",
			Why: fmt.Sprintf("it would hold %d bytes, more than the limit of %d", size, MaxEnvelope)}
	}
	var out bytes.Buffer
	out.Grow(int(size/3*4+size/500) + 256) // base64, a newline per 750 bytes, two markers
	if err := armour.Write(&out, label, nonce, append([][]byte{table}, segs...)...); err != nil {
		return nil, &EncodingError{What: "envelope", Why: "cannot be written", Err: err}
	}
	return out.Bytes(), nil
}

func unpack(label string, data []byte, nonce Nonce) (segs [][]byte, prefix, suffix []byte, err error) {
	s := armour.NewScanner(armour.NewReader(bytes.NewReader(data)), label, nonce)
	s.Max = MaxEnvelope
	var last []byte
	var bad error
	for found := false; ; {
		payload, err := s.Next(nil)
		var block *armour.Error
		switch start, end := s.Span(); {
		case err == nil:
			found, last, prefix, suffix = true, payload, data[:start], data[end:]
		case errors.As(err, &block) && !errors.Is(err, io.ErrUnexpectedEOF):
			bad = err
		case found:
			segs, err = splitSegments(last)
			return segs, prefix, suffix, err
		case block != nil || err != io.EOF:
			return nil, nil, nil, &EncodingError{What: "envelope", Why: "bad: " + quoteEnds(data), Err: err}
		case bad != nil:
			return nil, nil, nil, &EncodingError{What: "envelope", Why: "bad: " + quoteEnds(data), Err: bad}
		default:
			return nil, nil, nil, notFound(label, data, nonce)
		}
	}
}

// notFound says what there is in data, where there is no envelope with the right nonce.
func notFound(label string, data []byte, nonce Nonce) error {
	e := &EncodingError{What: "envelope", Err: ErrNoBox}
	s := armour.NewScanner(armour.NewReader(bytes.NewReader(data)), label, AnyNonce)
	s.Max = MaxEnvelope
	switch _, err := s.Next(nil); {
	case err == nil:
		e.Why, e.Err = fmt.Sprintf("its nonce is %s, not %s", s.Nonce(), nonce), ErrReplay
	case len(bytes.TrimSpace(data)) == 0:
		e.Why = "the input is empty"
	case bytes.Contains(data, []byte("=====END "+label+" ")):
		e.Why = "the begin marker is missing: " + quoteEnds(data)
	default:
		e.Why = fmt.Sprintf("no %s in the input: %s", label, quoteEnds(data))
	}
	return e
}

// splitSegments undoes the table that pack wrote. The segments share the memory of data.
func splitSegments(data []byte) ([][]byte, error) {
	bad := func(format string, args ...any) error {
		return &EncodingError{What: "envelope", Why: "segments: " + fmt.Sprintf(format, args...)}
	}
	if len(data) < 4 {
		return nil, bad("got %d bytes, want 4 for their number", len(data))
	}
	n := int(binary.BigEndian.Uint32(data))
	if n > MaxSegments {
		return nil, bad("%d of them, more than the limit of %d", n, MaxSegments)
	}
	table, rest := data[4:], data[4:]
	if len(rest) < 8*n {
		return nil, bad("got %d bytes, want %d for the lengths of %d", len(rest), 8*n, n)
	}
	rest = rest[8*n:]
	segs := make([][]byte, n)
	for i := range segs {
		size := binary.BigEndian.Uint64(table[8*i:])
		if size > uint64(len(rest)) {
			return nil, bad("got %d bytes, want %d for segment %d", len(rest), size, i)
		}
		segs[i], rest = rest[:size:size], rest[size:]
	}
	if len(rest) > 0 {
		return nil, bad("%d bytes follow the last of %d", len(rest), n)
	}
	return segs, nil
}

// quoteEnds shows how data begins and ends, at most 40 bytes of each.
func quoteEnds(data []byte) string {
	const end = 40
	if len(data) <= 2*end {
		return fmt.Sprintf("the input is %q", data)
	}
	return fmt.Sprintf("the input is %d bytes, begins %q and ends %q", len(data), data[:end], data[len(data)-end:])
}
