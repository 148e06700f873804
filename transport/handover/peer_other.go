//go:build !linux

package handover

import (
	"golang.org/x/sys/unix"
)

func peerOf(fd int) (Peer, error) {
	cred, err := unix.GetsockoptXucred(fd, 0, unix.LOCAL_PEERCRED) // 0: SOL_LOCAL
	if err != nil {
		return Peer{}, err
	}
	p := Peer{UID: int(cred.Uid)}
	for _, g := range cred.Groups[:min(max(int(cred.Ngroups), 0), len(cred.Groups))] {
		p.Groups = append(p.Groups, int(g))
	}
	return p, nil
}

func replace(from, to int) error { return unix.Dup2(from, to) }

// hungUp cannot tell here without reading.
func hungUp(int) bool { return false }
