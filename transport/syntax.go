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
