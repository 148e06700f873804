package process

import (
	"context"
	"errors"
	"slices"
	"sync"
	"syscall"
)

// A Crew keeps several processes of one Config running. Its fields must not change once Scale was called; its methods may be
// called from many goroutines at once.
type Crew struct {
	Host    Host
	Config  Config
	Restart Restart                // of each of them
	Begin   func(*Process)         // called with each process before it is started; may be nil
	GivenUp func(err error, n int) // called when one was given up, with how many are left; may be nil
	mu      sync.Mutex             // guards what follows
	members []*member              // that run, the oldest first
	turn    sync.Mutex             // of those who change the number
}

// A member is one of a Crew: a process after another.
type member struct {
	cancel  context.CancelFunc
	ended   chan struct{}
	process *Process // guarded by Crew.mu; nil before the first
}

// Scale starts processes, or stops the newest, until there are n that are kept running. It returns when those that are too
// many have ended; when ctx is done it kills them. Those that flap are given up, and not counted any more.
func (c *Crew) Scale(ctx context.Context, n int) error {
	if n < 0 {
		return c.Config.wrong("crew", "it cannot have less than no members")
	}
	if err := c.Config.Check(); err != nil {
		return err
	}
	c.turn.Lock()
	defer c.turn.Unlock()
	c.mu.Lock()
	for len(c.members) < n {
		c.members = append(c.members, c.start())
	}
	surplus := slices.Clone(c.members[n:])
	c.mu.Unlock()
	for _, m := range surplus {
		m.cancel()
	}
	for _, m := range surplus {
		select {
		case <-m.ended:
			continue
		case <-ctx.Done():
		}
		if p := c.current(m); p != nil {
			_ = p.Kill(context.WithoutCancel(ctx)) // one that has ended is as good
		}
		<-m.ended
	}
	return nil
}

// Stop is Scale to none.
func (c *Crew) Stop(ctx context.Context) error { return c.Scale(ctx, 0) }

// start starts a member. It is called with mu held.
func (c *Crew) start() *member {
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{cancel: cancel, ended: make(chan struct{})}
	go func() { // Scale waits for it
		defer close(m.ended)
		defer cancel()
		err := c.Host.Keep(ctx, c.Config, c.Restart, func(p *Process) {
			c.mu.Lock()
			m.process = p
			c.mu.Unlock()
			if c.Begin != nil {
				c.Begin(p)
			}
		})
		c.leave(ctx, m, err)
	}()
	return m
}

// leave takes a member off, and tells if that was not ordered.
func (c *Crew) leave(ctx context.Context, m *member, err error) {
	c.mu.Lock()
	c.members = slices.DeleteFunc(slices.Clone(c.members), func(other *member) bool { return other == m })
	n := len(c.members)
	c.mu.Unlock()
	if ctx.Err() == nil && c.GivenUp != nil {
		c.GivenUp(err, n)
	}
}

func (c *Crew) current(m *member) *Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	return m.process
}

// Processes are those that run now, the oldest member's first.
func (c *Crew) Processes() []*Process {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all []*Process
	for _, m := range c.members {
		if m.process != nil && m.process.Active() {
			all = append(all, m.process)
		}
	}
	return all
}

// PIDs are their numbers.
func (c *Crew) PIDs() []int {
	var pids []int
	for _, p := range c.Processes() {
		pids = append(pids, p.PID())
	}
	return pids
}

// Signal sends a signal to each of them. One that has ended meanwhile is no error.
func (c *Crew) Signal(ctx context.Context, sig syscall.Signal) error {
	var errs []error
	for _, p := range c.Processes() {
		if err := p.Signal(ctx, sig); err != nil && !errors.Is(err, ErrDone) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
