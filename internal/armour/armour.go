// Package armour carries bytes as text: base64 between two marker lines that hold a nonce, to be found again in whatever
// a terminal, a login shell or a sudo lecture put around and between its lines.
//
//	=====BEGIN DELIVERY BOX 1 000102030405060708090a0b0c0d0e0f=====
//	AAAAAAAAAAWvi4aqaGVsbG8=
//	=====END DELIVERY BOX 1 000102030405060708090a0b0c0d0e0f=====
//
// The 1 is the version of the form. The base64 holds 12 bytes of header and then the payload: the payload's length
// (8 bytes, big endian) and a CRC-32 over that length and the payload (4 bytes). So a reader knows what it will have
// to hold before it holds it, and a line of noise that looks like base64 cannot pass for data.
package armour

import (
	"errors"
	"fmt"
	"io"
)

const (
	// Version is the only version of the text form that this package writes and reads.
	Version = 1

	// DefaultMax is the largest payload that a Scanner accepts if its Max is 0: 256 MiB.
	DefaultMax = 256 << 20

	// lineChars is how many characters a written line holds. A terminal in canonical mode drops what goes beyond 4095
	// characters of a line on Linux, and beyond 1023 on macOS and the BSDs, newline included.
	lineChars = 1000
	lineBytes = lineChars / 4 * 3

	headerBytes = 12
	headerChars = headerBytes / 3 * 4
	maxLabel    = 32
	maxMarker   = len("=====BEGIN ") + maxLabel + len(" 999 ") + 2*len(Nonce{}) + len("=====")
)

// What is wrong with a block; they are found in an [Error] with errors.Is.
var (
	ErrVersion    = errors.New("another version")
	ErrUnfinished = fmt.Errorf("the end marker is missing: %w", io.ErrUnexpectedEOF)
	ErrTooLong    = errors.New("the payload is too long")
	ErrTruncated  = errors.New("the payload is incomplete")
	ErrBase64     = errors.New("bad base64")
	ErrChecksum   = errors.New("the checksum does not match")
)

// An Error says what is wrong with one block. The scanner that returned it can go on to the next block.
type Error struct {
	Label  string
	Offset int64 // of what is wrong, in bytes from where the scanner began
	Why    string
	Err    error // one of the Err values of this package; ErrTruncated and ErrBase64 may come together
}

func (e *Error) Error() string {
	return fmt.Sprintf("armour: %s block: at byte %d: %s", e.Label, e.Offset, e.Why)
}

func (e *Error) Unwrap() error { return e.Err }

// checkLabel accepts what a marker can hold: upper-case words, at most 32 characters.
func checkLabel(label string) error {
	if label == "" || len(label) > maxLabel || label[0] == ' ' || label[len(label)-1] == ' ' {
		return fmt.Errorf("label %.80q: not 1 to %d characters of upper-case words", label, maxLabel)
	}
	for i := range len(label) {
		if c := label[i]; c != ' ' && (c < 'A' || c > 'Z') {
			return fmt.Errorf("label %.80q: only upper-case letters and spaces", label)
		}
	}
	return nil
}
