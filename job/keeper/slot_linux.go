package keeper

import (
	"errors"
	"strconv"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/job/store"
	"github.com/seed354a1416/deliveryboy/registry"
)

const (
	relist   = time.Second            // how old a list of who waits may be: submitters that came since want their turn
	notYet   = 200 * time.Millisecond // between two looks at a queue in which nobody may run yet
	fullDisk = time.Second            // before a job is tried again that the disk has no room for
)

// Kick sees to it that somebody works on a queue. For a job that may run, due, a keeper fills the first slot that is free;
// for one whose time has not come it is enough that somebody fills the first slot, and waits.
func Kick(s *store.Store, queue string, slots int, due bool) error {
	if !due {
		slots = 1
	}
	for n := range min(max(slots, 1), store.MaxSlots) {
		lock, err := s.Slot(queue, n)
		if err != nil {
			return err
		}
		if lock == nil {
			continue
		}
		_, err = detached.StartBare(role, []string{fillSlot, queue, strconv.Itoa(n)}, lock)
		return errors.Join(err, lock.Close())
	}
	return nil
}

// mainSlot keeps jobs of a queue, one after the other, until nobody waits. The slot's lock came with its start.
func mainSlot(s *store.Store, queue string, n int) int {
	lock := detached.File(0)
	for {
		q := &waiting{store: s, queue: queue, patient: n == 0}
		for q.next() {
			if err := keep(q.job, hooks{started: q.started}); err != nil {
				q.postpone()
			}
			q.job.Close()
		}
		s.Tidy(queue)
		_ = lock.Close()
		// Who came after the last look and before the lock was free has not started anybody.
		tickets, err := s.Tickets(queue, registry.Fingerprint())
		if err != nil || !someDue(tickets) && (n > 0 || len(tickets) == 0) {
			return 0
		}
		if lock, err = s.Slot(queue, n); err != nil || lock == nil {
			return 0
		}
	}
}

// someDue reports whether any of those who wait may run.
func someDue(tickets [][]store.Ticket) bool {
	for _, mine := range tickets {
		if len(mine) > 0 && !mine[0].Time.After(time.Now()) {
			return true
		}
	}
	return false
}

// A waiting is what a slot knows of its queue.
type waiting struct {
	store   *store.Store
	queue   string
	patient bool             // it waits for those whose time has not come
	tickets [][]store.Ticket // for each submitter
	listed  time.Time
	called  time.Time // the last look for another slot
	turn    int       // whose it is

	ticket store.Ticket
	job    *store.Job // that was claimed
	later  map[string]time.Time
}

// next claims the next job, each submitter's in turn. It waits for those that may not run yet if it is patient, and is false
// if nobody waits.
func (w *waiting) next() bool {
	for {
		fresh := len(w.tickets) == 0 || time.Since(w.listed) > relist
		if fresh {
			var err error
			if w.tickets, err = w.store.Tickets(w.queue, registry.Fingerprint()); err != nil || len(w.tickets) == 0 {
				return false
			}
			w.listed = time.Now()
		}
		due := someDue(w.tickets)
		if w.claim() {
			w.call()
			return true
		}
		if fresh && !due && !w.patient {
			return false
		}
		if fresh {
			time.Sleep(notYet) // for a job whose time has not come, or that somebody is about to order
		}
		w.tickets = nil
	}
}

// claim claims the first job that can be.
func (w *waiting) claim() bool {
	for len(w.tickets) > 0 {
		w.turn %= len(w.tickets)
		mine := w.tickets[w.turn]
		if len(mine) == 0 || mine[0].Time.After(time.Now()) {
			w.tickets = append(w.tickets[:w.turn:w.turn], w.tickets[w.turn+1:]...)
			continue
		}
		t := mine[0]
		w.tickets[w.turn] = mine[1:]
		w.turn++
		if time.Now().Before(w.later[t.ID]) {
			continue
		}
		if j := w.take(t); j != nil {
			w.ticket, w.job = t, j
			return true
		}
	}
	return false
}

// call has another slot filled if more jobs may run: many may become due at once.
func (w *waiting) call() {
	if !someDue(w.tickets) || time.Since(w.called) < notYet {
		return
	}
	w.called = time.Now()
	if st, err := w.job.Status(); err == nil {
		_ = Kick(w.store, w.queue, st.Slots, true) // whoever waits does so too
	}
}

// take claims the job of a ticket; nil if somebody else has it, or it is none.
func (w *waiting) take(t store.Ticket) *store.Job {
	j, err := w.store.Find(t.ID)
	if errors.Is(err, store.ErrNotFound) {
		// A job comes about after its ticket, and who makes it holds its lock.
		if w.store.Begun(t.ID) {
			return nil
		}
		if j, err = w.store.Find(t.ID); errors.Is(err, store.ErrNotFound) { // between the two looks it may have been ordered
			w.store.Discard(t)
			return nil
		}
	}
	if err != nil {
		return nil
	}
	claimed, err := j.Claim()
	if err == nil && claimed {
		return j
	}
	if st, err := j.Status(); err == nil && (st.Phase == store.Ended || st.Phase == store.Lost) ||
		errors.Is(err, store.ErrDamaged) && !j.Kept() {
		w.store.Discard(t)
	}
	j.Close()
	return nil
}

// started gives up the place of a job that has begun: from now on it counts as started, whatever happens.
func (w *waiting) started() { w.store.Discard(w.ticket) }

// postpone leaves a job for later that could not begin.
func (w *waiting) postpone() {
	if w.later == nil {
		w.later = map[string]time.Time{}
	}
	w.later[w.ticket.ID] = time.Now().Add(fullDisk)
}
