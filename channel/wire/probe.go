package wire

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
)

// The probe shows whether the path from the worker to the caller is 8-bit clean: all byte values once, and a line that
// ends it. The caller reads to that line, not for a number of bytes: a path that drops some must not make it wait.

func probeBytes() []byte {
	p := make([]byte, 256)
	for i := range p {
		p[i] = byte(i)
	}
	return p
}

func probeEnd(nonce Nonce) []byte { return fmt.Appendf(nil, "=====PROBE %s=====\n", nonce) }

func probe(nonce Nonce) []byte { return append(probeBytes(), probeEnd(nonce)...) }

// readProbe says whether the probe came as it was sent. If not, it is noise.
func readProbe(r *bufio.Reader, nonce Nonce, noise io.Writer) (clean bool, err error) {
	_, got, err := seek(r, probeEnd(nonce))
	switch {
	case err == io.EOF:
		return false, &HandshakeError{What: "hello", Why: "the worker ended within the probe that follows it", Err: io.ErrUnexpectedEOF}
	case err != nil:
		return false, &HandshakeError{What: "hello", Why: "the probe that follows it cannot be read", Err: err}
	case bytes.Equal(got, probeBytes()):
		return true, nil
	}
	if noise != nil {
		_, _ = noise.Write(got)
	}
	return false, nil
}

// maxSeek is how much may stand before a line that seek looks for.
const maxSeek = 64 << 10

// seek reads to the end of the first of the lines that comes, and says which and what was before it. A terminal may
// have made \r\n of the line's \n; it is found even so, and the \r counts to what was before.
func seek(r *bufio.Reader, lines ...[]byte) (which int, before []byte, err error) {
	for len(before) < maxSeek {
		c, err := r.ReadByte()
		if err != nil {
			return 0, before, err
		}
		if before = append(before, c); c != '\n' {
			continue
		}
		text := before[:len(before)-1]
		for range 3 {
			text = bytes.TrimSuffix(text, []byte("\r"))
		}
		for i, line := range lines {
			if found, ok := bytes.CutSuffix(text, line[:len(line)-1]); ok {
				return i, append(found, before[len(text):len(before)-1]...), nil
			}
		}
	}
	return 0, before, errTooMuch
}
