package admin

import (
	"context"
	"fmt"
	"time"
)

// ProcessQuery asks for processes. Those are listed that meet all that is asked.
type ProcessQuery struct {
	PIDs []int  `json:"pids"` // only these; all if empty
	User string `json:"user"` // only this user's, by name or number
	Name string `json:"name"` // only those with exactly this short name
}

// Process is one running program.
type Process struct {
	PID        int       `json:"pid"`
	PPID       int       `json:"ppid"` // the parent
	UID        int       `json:"uid"`  // effective
	GID        int       `json:"gid"`  // effective
	User       string    `json:"user"`
	State      string    `json:"state"` // one letter, as in ps: R, S, D, Z, T, t, I
	Threads    int       `json:"threads"`
	Resident   int64     `json:"resident"`    // memory, in bytes
	CPUSeconds float64   `json:"cpu_seconds"` // user and system
	Start      time.Time `json:"start"`       // to a hundredth of a second
	Name       string    `json:"name"`        // the short name, at most 15 bytes
	Args       []string  `json:"args"`        // empty for kernel threads and zombies
}

// ProcList lists processes in order of their ids. Those that end meanwhile are left out. Linux only.
func ProcList(ctx context.Context, q ProcessQuery) ([]Process, error) {
	uid := -1
	if q.User != "" {
		u, err := findUser("proc.list: user", q.User)
		if uid, err = ownerID(q.User, u.UID, err); err != nil {
			return nil, err
		}
	}
	all, err := processes(ctx, q.PIDs)
	if err != nil {
		return nil, fmt.Errorf("proc.list: %w", err)
	}
	n := names{}
	found := all[:0]
	for _, p := range all {
		if uid >= 0 && p.UID != uid || q.Name != "" && p.Name != q.Name {
			continue
		}
		p.User = n.user(p.UID)
		found = append(found, p)
	}
	return found, nil
}
