package process

import "context"

// Run runs a program of this machine to its end; then what is left of its process group ends, too. When ctx is done before,
// the program is killed, with everything that it started, and the error is that of ctx. It is what Start, Wait and Close
// do, but nobody hears events of it, and on Linux one goroutine does all of it where stdout and stderr are all that there
// is to copy. There, where this process has no terminal, the program has no session of its own, but a process group.
func Run(ctx context.Context, cfg Config, stdio Stdio) (State, error) {
	none := State{Code: -1}
	p, err := New(cfg, stdio)
	if err != nil {
		return none, err
	}
	p.Sweep()
	if s, err, ok := p.runAlone(ctx); ok { //nolint:revive // the last one says whether the others count
		return s, err
	}
	if err := p.Start(ctx); err != nil {
		return none, err
	}
	state, err := p.Wait(ctx)
	if err != nil && ctx.Err() != nil {
		_ = p.Kill(context.WithoutCancel(ctx))
		state, _ = p.Wait(context.WithoutCancel(ctx))
	}
	if closed := p.Close(); err == nil {
		err = closed
	}
	return state, err
}
