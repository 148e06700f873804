// Package transport says how a copy of this program is started somewhere else: as another user, on another host, or
// both.
//
// A [Transport] is a value that turns the argv of a worker into a longer argv that runs it there. Transports compose:
// a [Chain] is a transport. None of them starts anything.
package transport

// A Transport turns the argv of a worker into the argv that starts it somewhere else.
type Transport interface {
	// Command returns what to run so that argv runs on the far side, byte for byte. It must not change argv. The
	// first word may be a bare program name, such as "sudo": [Build] finds the file. The error says which field of
	// the transport is wrong.
	Command(argv []string) ([]string, error)

	// String is the transport in spec form, such as "sudo=www"; [Parse] reads it back.
	String() string
}
