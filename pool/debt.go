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

// A debt is what a client, or a guest with all of its clients, has not read yet: replies that are kept here, or may come. Of a
// guest it is also all that is kept for it, which has limits: for it, and for all guests.
type debt struct {
	guest bool
	limit int64 // of kept; 0: none
	all   *debt // of all guests; nil of other clients, and of itself

	mu    sync.Mutex // guards what follows; that of all comes after
	bytes int64
	paid  chan struct{} // closed when there is less of it; nil if nobody waits
	kept  int64
}

// debtOf is the one debt of all clients of a guest, and one of its own for others.
func (s *Server) debtOf(who Peer) *debt {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.policy.owner(who) {
		return &debt{}
	}
	if s.debts[who.UID] == nil {
		s.debts[who.UID] = &debt{guest: true, limit: s.options.MaxKeptPerUser, all: &s.guests}
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

// keep counts bytes as kept for a guest, until drop. With an error, which says what is too much, it has not.
func (d *debt) keep(n int64) *KeptError {
	if !d.guest {
		return nil
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.kept+n > d.limit {
		return &KeptError{Bytes: n, Limit: d.limit}
	}
	d.all.mu.Lock()
	defer d.all.mu.Unlock()
	if d.all.kept+n > d.all.limit {
		return &KeptError{Bytes: n, Limit: d.all.limit, All: true}
	}
	d.kept += n
	d.all.kept += n
	return nil
}

// drop is the end of what was kept. With a number below 0 it is kept in any case.
func (d *debt) drop(n int64) {
	if !d.guest {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all.mu.Lock()
	defer d.all.mu.Unlock()
	d.kept -= n
	d.all.kept -= n
}
