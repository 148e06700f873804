//go:build !linux

package process

import "context"

// runAlone leaves it to others.
func (p *Process) runAlone(context.Context) (State, error, bool) { //nolint:revive // as on Linux
	return State{}, nil, false
}
