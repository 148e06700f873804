package store

import (
	"fmt"
	"strings"

	"github.com/oklog/ulid/v2"
)

// idLength is that of a ULID: 48 bits of time and 80 of chance, in base32.
const idLength = 26

// NewID returns an identifier that no other job has, here or elsewhere. Those of later jobs sort behind it, to the
// millisecond.
func NewID() string { return strings.ToLower(ulid.Make().String()) }

// CheckID reports what cannot be the identifier of a job: it becomes the name of a directory.
func CheckID(id string) error {
	if _, err := ulid.ParseStrict(id); err != nil || id != strings.ToLower(id) {
		return fmt.Errorf("job id %.80q: it has %d letters and digits, such as %s", id, idLength, "01kvmzt2b6p1m3x7q9s4e8c5dh")
	}
	return nil
}
