package wire

import (
	"errors"
	"fmt"
	"io"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

const (
	preambleLabel = "PREAMBLE"
	helloLabel    = "HELLO"
)

// Offer is the caller's side of the handshake. It sends the preamble, finds the hello in whatever comes before it, and
// chooses the form: binary if the worker offers it and the path back has carried every byte unchanged, else text. It
// returns the wire, ready for the first frame. Nothing but the preamble and the choice has left this program then.
//
// If p.Nonce is zero it is set to a new one. The hello is returned whenever it could be read, also with a
// *[RefusedError]. Other errors are *[VersionError] and *[HandshakeError]. Offer waits for the worker without limit; to
// end that, close r, and then w, which a goroutine may still be writing the preamble to.
func Offer(r io.Reader, w io.Writer, p *Preamble, o Options) (*Wire, *Hello, error) {
	if p.Mode != Auto && p.Mode != Text {
		return nil, nil, &HandshakeError{What: "preamble", Why: fmt.Sprintf("mode %.80q: neither %q nor empty", string(p.Mode), Text)}
	}
	text, err := p.encode()
	if err != nil {
		return nil, nil, err
	}
	if p.Nonce == (Nonce{}) {
		p.Nonce = NewNonce()
	}
	nonce := p.Nonce
	if !nonce.Valid() {
		return nil, nil, &HandshakeError{What: "preamble", Why: "nonce " + nonce.String() + " is reserved"}
	}
	// Beside the reading, because the far side may have much to say before it reads.
	sent := make(chan error, 1)
	go func() { sent <- armour.Write(w, preambleLabel, nonce, text) }()

	br := armour.NewReader(r)
	h, err := readHello(br, nonce, o.Noise)
	if err != nil {
		return nil, h, err
	}
	if err := <-sent; err != nil {
		return nil, h, &HandshakeError{What: "preamble", Why: "it cannot be sent", Err: err}
	}
	mode := Text
	if h.Mode == Binary {
		clean, err := readProbe(br, nonce, o.Noise)
		if err != nil {
			return nil, h, err
		}
		if clean && p.Mode == Auto {
			mode = Binary
		}
	}
	if _, err := w.Write(choice(mode, nonce)); err != nil {
		return nil, h, &HandshakeError{What: "choice", Why: "it cannot be sent", Err: err}
	}
	if mode == Binary {
		return newBinary(newFeed(br, r), w, o), h, nil
	}
	return NewText(br, w, nonce, Caller, o), h, nil
}

// readHello finds the hello and reads it; the error may come with one.
func readHello(r io.Reader, nonce Nonce, noise io.Writer) (*Hello, error) {
	scan := armour.NewScanner(armour.NewReader(r), helloLabel, nonce)
	scan.Max, scan.Noise = maxHandshake, noise
	text, err := scan.Next(nil)
	if err != nil {
		return nil, noBlock("hello", err)
	}
	h := new(Hello)
	if err := h.decode(text); err != nil {
		return nil, err
	}
	if h.Refusal != "" {
		return h, &RefusedError{Code: h.Code, Why: h.Refusal}
	}
	return h, nil
}

// noBlock is the error of a preamble or hello that could not be found.
func noBlock(what string, err error) error {
	if err == io.EOF {
		return &HandshakeError{What: what, Why: "the other side ended before it came", Err: io.ErrUnexpectedEOF}
	}
	if errors.Is(err, armour.ErrTooLong) {
		err = fmt.Errorf("%w: %w", err, ErrLimit)
	}
	return &HandshakeError{What: what, Why: "it cannot be read", Err: err}
}

// choice is the line that tells the worker which form the caller takes.
func choice(m Mode, nonce Nonce) []byte {
	if m == Binary {
		return fmt.Appendf(nil, "=====BINARY %s=====\n", nonce)
	}
	return fmt.Appendf(nil, "=====TEXT %s=====\n", nonce)
}
