package admin

import (
	"context"
	"fmt"
	"slices"
)

// ListenerQuery asks for sockets that wait for others.
type ListenerQuery struct {
	Protocols []string `json:"protocols"` // of tcp, tcp6, udp, udp6 and unix; all if empty
}

// Listeners are the sockets of one network namespace that wait for others.
type Listeners struct {
	Sockets []Listener `json:"sockets"`
	// Note says what is missing, such as owners that only root may see; empty if nothing is.
	Note string `json:"note"`
}

// A Listener is one socket that waits for others: a listening one, or for udp one that hears anybody.
type Listener struct {
	Protocol string   `json:"protocol"`
	Address  string   `json:"address"` // ip:port, or a path; a path that begins with "@" is no file
	UID      int      `json:"uid"`     // who made the socket; -1 for unix sockets, where the system does not tell
	Inode    uint64   `json:"inode"`
	Holders  []Holder `json:"holders"` // the processes that have it open, as far as they could be seen
}

// A Holder is a process that has a socket open.
type Holder struct {
	PID     int    `json:"pid"`
	Program string `json:"program"` // the file that it runs; its short name where that is not to be seen
}

var protocols = []string{"tcp", "tcp6", "udp", "udp6", "unix"}

// NetListeners lists the sockets that wait for others, with the processes that hold them. Without root, the holders of
// other users' sockets are unknown, and Note says so. Linux only.
func NetListeners(ctx context.Context, q ListenerQuery) (Listeners, error) {
	asked := q.Protocols
	if len(asked) == 0 {
		asked = protocols
	}
	for _, p := range asked {
		if !slices.Contains(protocols, p) {
			return Listeners{}, fmt.Errorf("net.listeners: protocol %s: not known: give some of %q", quote(p), protocols)
		}
	}
	l, err := listeners(ctx, asked)
	if err != nil {
		return Listeners{}, fmt.Errorf("net.listeners: %w", err)
	}
	return l, nil
}
