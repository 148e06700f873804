package pool

import (
	"errors"
	"maps"

	"github.com/seed354a1416/deliveryboy/box"
)

// Stats is what a pool does at the moment, and what it has done.
type Stats struct {
	Size, Min int // the most workers, and how many are kept ready
	Workers   int // that serve
	Starting  int // that come up
	Busy      int // that have something to do
	Waiting   int // calls and sessions that wait for a worker

	Calls     int64            // that workers have got
	Failed    int64            // of these, those that brought no reply
	Repeated  int64            // that were given to another worker, because their function had not started
	Started   int64            // workers
	Unstarted int64            // workers that could not be started
	Replaced  map[string]int64 // workers that have ended, by why: ReplacedSpent and the like
}

// counts are what Stats has of the past; guarded by Pool.mu.
type counts struct {
	taken, calls, failed, repeated, started, unstarted int64
	replaced                                           map[string]int64
	closeErrors                                        []error
}

// Stats says what the pool does.
func (p *Pool) Stats() Stats {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := Stats{
		Size: p.size, Min: p.min, Waiting: len(p.waiting), Starting: p.coming(),
		Calls: p.count.calls, Failed: p.count.failed, Repeated: p.count.repeated, Started: p.count.started,
		Unstarted: p.count.unstarted, Replaced: maps.Clone(p.count.replaced),
	}
	s.Workers = len(p.workers) - s.Starting
	for _, k := range p.workers {
		if k.load > 0 {
			s.Busy++
		}
	}
	return s
}

func (p *Pool) noteCall(err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.calls++
	if errors.As(err, new(*box.DeliveryError)) {
		p.count.failed++
	}
}

func (p *Pool) noteRepeat() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.count.repeated++
}
