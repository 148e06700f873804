package armour

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
)

// A Nonce tells the blocks of one call from everything else that may look like one. The zero nonce is no nonce: nothing
// is written with it or found by it.
type Nonce [16]byte

// Any is not a nonce either: a [Scanner] that is given it accepts every nonce, and says by [Scanner.Nonce] which it was.
var Any = Nonce{
	0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
}

// NewNonce returns a nonce that nobody can guess.
func NewNonce() Nonce {
	var n Nonce
	_, _ = rand.Read(n[:]) // never fails: the runtime ends the program instead
	return n
}

// String is the nonce as 32 hex digits.
func (n Nonce) String() string { return hex.EncodeToString(n[:]) }

// Valid says whether blocks can be written with n.
func (n Nonce) Valid() bool { return n != Nonce{} && n != Any }

// ParseNonce reads what String wrote.
func ParseNonce(s string) (Nonce, error) {
	var n Nonce
	if len(s) != hex.EncodedLen(len(n)) {
		return n, fmt.Errorf("armour: nonce %.80q: %d characters; it has %d hex digits", s, len(s), hex.EncodedLen(len(n)))
	}
	if _, err := hex.Decode(n[:], []byte(s)); err != nil {
		return Nonce{}, fmt.Errorf("armour: nonce %.80q: %w", s, err)
	}
	if !n.Valid() {
		return Nonce{}, fmt.Errorf("armour: nonce %.80q: reserved", s)
	}
	return n, nil
}
