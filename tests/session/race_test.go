//go:build race

package session

// raced is whether this program was built with the race detector, whose own memory is then in every number.
const raced = true
