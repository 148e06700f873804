package wire

import (
	"bufio"
	"bytes"
	"errors"
	"io"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

// A Door is the worker's side of the handshake, when the preamble has come. The worker decides: [Door.Admit] or
// [Door.Refuse].
type Door struct {
	Preamble Preamble // valid if Accept returned no error

	raw   io.Reader
	r     *bufio.Reader // reads raw
	w     io.Writer
	nonce Nonce
	opts  Options
}

// Accept waits for a preamble on r, without limit; what comes before it is noise. The error is io.EOF if there was none,
// and otherwise a *[VersionError] or a *[HandshakeError].
//
// The door is not nil once the nonce is known: a worker that cannot use the preamble can still refuse and say why. The
// caller sends nothing between the preamble and its choice, so until [Door.Admit] no byte of r is used beyond the preamble.
func Accept(r io.Reader, w io.Writer, o Options) (*Door, error) {
	d := &Door{raw: r, r: armour.NewReader(r), w: w, opts: o}
	scan := armour.NewScanner(d.r, preambleLabel, armour.Any)
	scan.Max, scan.Noise = maxHandshake, o.Noise
	text, err := scan.Next(nil)
	d.nonce = scan.Nonce()
	d.Preamble.Nonce = d.nonce
	if err == nil {
		return d, d.Preamble.decode(text)
	}
	if !d.nonce.Valid() {
		d = nil
	}
	if err == io.EOF {
		return nil, io.EOF
	}
	return d, noBlock("preamble", err)
}

// Admit sends the hello, and waits for the caller to choose the form of the wire. It sets h.Mode: eightBit says that
// neither of the worker's ends is a terminal, so that the binary form may be offered.
func (d *Door) Admit(h *Hello, eightBit bool) (*Wire, error) {
	if h.Refusal != "" {
		return nil, &HandshakeError{What: "hello", Why: "it holds a refusal; use Refuse"}
	}
	h.Mode = Text
	if eightBit && d.Preamble.Mode == Auto {
		h.Mode = Binary
	}
	if err := d.send(h); err != nil {
		return nil, err
	}
	which, before, err := seek(d.r, choice(Text, d.nonce), choice(Binary, d.nonce))
	if d.opts.Noise != nil {
		_, _ = d.opts.Noise.Write(before)
	}
	switch {
	case err == io.EOF:
		return nil, &HandshakeError{What: "choice", Why: "the caller went away before it came", Err: io.ErrUnexpectedEOF}
	case err != nil:
		return nil, &HandshakeError{What: "choice", Why: "it cannot be read", Err: err}
	case which == 0:
		return NewText(d.r, d.w, d.nonce, Worker, d.opts), nil
	case h.Mode != Binary:
		return nil, &HandshakeError{What: "choice", Why: "the caller chose the binary form, which was not offered", Err: ErrProtocol}
	}
	return newBinary(newFeed(d.r, d.raw), d.w, d.opts), nil
}

// Refuse sends a hello with h.Refusal, and no more: the worker is to end then.
func (d *Door) Refuse(h *Hello) error {
	if h.Refusal == "" {
		return &HandshakeError{What: "hello", Why: "a refusal without a reason"}
	}
	h.Mode = Text
	return d.send(h)
}

func (d *Door) send(h *Hello) error {
	text, err := h.encode()
	if err != nil {
		return err
	}
	var out bytes.Buffer
	err = armour.Write(&out, helloLabel, d.nonce, text)
	if err == nil && h.Mode == Binary {
		out.Write(probe(d.nonce))
	}
	if err == nil {
		_, err = d.w.Write(out.Bytes())
	}
	if err != nil {
		return &HandshakeError{What: "hello", Why: "it cannot be sent", Err: err}
	}
	return nil
}

var errTooMuch = errors.New("more than 64 KiB came instead")
