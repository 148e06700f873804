package transport

import (
	"errors"
	"fmt"
	"strings"
)

// SyntaxError says what is wrong with a spec, and where.
type SyntaxError struct {
	Text   string // the spec
	Offset int    // the byte at which the wrong part begins
	Err    error  // what is wrong with it
}

func (e *SyntaxError) Error() string {
	why := strings.TrimPrefix(e.Err.Error(), "transport: ")
	return fmt.Sprintf("transport: spec %s: at byte %d: %s", shown(e.Text), e.Offset, why)
}

// Unwrap returns what is wrong.
func (e *SyntaxError) Unwrap() error { return e.Err }

func syntaxError(text string, offset int, why string) error {
	return &SyntaxError{Text: text, Offset: offset, Err: errors.New(why)}
}

// nearest returns the word of list that is closest to word, or "" if none is close.
func nearest(word string, list []string) string {
	best, bestDistance := "", len(word)/2+1
	for _, candidate := range list {
		if d := distance(word, candidate); d < bestDistance {
			best, bestDistance = candidate, d
		}
	}
	return best
}

// distance is how many letters must be changed, added or removed to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			next := min(row[j]+1, row[j+1]+1, diagonal+cost)
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}
