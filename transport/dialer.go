package transport

import (
	"context"
	"os"
)

// A Dialer is a Transport that reaches the far side by itself, without a program of this machine. It can only be the first
// hop; those behind it are in what its Command returns. What it reaches counts as another machine. Package transport/xssh
// has one.
type Dialer interface {
	Transport

	// Dial has the far side run what Command returned, with stdin, stdout and stderr there. The files are the Dialer's from
	// then on, which closes them, also after an error. The context is for the way there alone; see [Ask] for passwords.
	Dial(ctx context.Context, command []string, streams [3]*os.File) (Dialed, error)
}

// Dialed is what a Dialer has reached.
type Dialed interface {
	// Wait returns the exit code of what ran there, or 128 and the number of the signal that ended it. All that it wrote
	// is in the streams then. An error means that the connection ended instead. It is called once.
	Wait() (code int, err error)

	// Close ends the connection, and with that what runs there. It returns at once.
	Close() error
}

// dialer is the first hop of t as a Dialer; nil if it is none.
func dialer(hops []Transport) Dialer {
	if len(hops) == 0 {
		return nil
	}
	d, _ := hops[0].(Dialer)
	return d
}

// DialerOf returns the [Dialer] that t begins with; nil if it begins with a program.
func DialerOf(t Transport) Dialer { return dialer(Hops(t)) }

// PassesFiles reports whether open files can pass to the worker behind t, over a unix socket as its stdin: it is [Local], or
// t is a [Dialer] that hands the very streams to somebody on this machine, which it says with a method HandsOver.
func PassesFiles(t Transport) bool {
	if d, ok := t.(interface{ HandsOver() bool }); ok {
		return d.HandsOver()
	}
	return Local(t)
}
