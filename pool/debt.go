package pool

import (
	"context"
	"sync"
)

const (
	// maxDebt is how many bytes of replies may wait to be read before no further call begins.
	maxDebt = 64 << 20

	// callDebt is what a guest's call counts until its reply has been read: nobody knows how long that will be.
	callDebt = 1 << 20
)

// A debt is what a client, or a guest with all of its clients, has not read yet: replies that are kept here, or may come.
type debt struct {
	guest bool

	mu    sync.Mutex // guards what follows
	bytes int64
	paid  chan struct{} // closed when there is less of it; nil if nobody waits
}

// debtOf is the one debt of all clients of a guest, and one of its own for others.
func (s *Server) debtOf(who Peer) *debt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policy.owner(who) {
		return &debt{}
	}
	if s.debts[who.UID] == nil {
		s.debts[who.UID] = &debt{guest: true}
	}
	return s.debts[who.UID]
}

// add changes the debt.
func (d *debt) add(n int64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bytes += n
	if n < 0 && d.paid != nil {
		close(d.paid)
		d.paid = nil
	}
}

// begin waits until the debt is not too high, and adds a call to it, which end takes off.
func (d *debt) begin(ctx context.Context) error {
	for {
		d.mu.Lock()
		if d.bytes < maxDebt {
			if d.guest {
				d.bytes += callDebt
			}
			d.mu.Unlock()
			return nil
		}
		if d.paid == nil {
			d.paid = make(chan struct{})
		}
		paid := d.paid
		d.mu.Unlock()
		select {
		case <-paid:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// end is the end of a call that had begun: its reply is written.
func (d *debt) end() {
	if d.guest {
		d.add(-callDebt)
	}
}
