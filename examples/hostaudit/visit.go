package main

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// A visit is what became of one target.
type visit struct {
	Target  string
	Via     string
	Skipped string `json:",omitempty"` // why it was left out
	Failed  bool   // it should have worked, and did not
	Error   string `json:",omitempty"` // why not even whoami came back

	User        string
	UID         int
	Host        string
	WorkerStart time.Duration // an empty call, without the function itself
	CallTime    time.Duration // an empty call, as the caller sees it
	AuditTime   time.Duration // all audits together
	Audits      []outcome
}

// An outcome is what became of one audit on one target.
type outcome struct {
	Name     string
	Took     time.Duration // as the caller sees it
	Denied   bool          // the user may not see what it asks for
	missing  bool          // there is nothing to audit
	Error    string        `json:",omitempty"`
	Summary  string        `json:",omitempty"`
	Findings []Finding     `json:",omitempty"`
	Report   report        `json:",omitempty"`
}

// auditTime is the most that one audit may take. The function's own context ends then, wherever it runs.
const auditTime = 2 * time.Minute

// visitAll visits the targets one after the other, so that they do not disturb each other's times.
func visitAll(ctx context.Context, targets []target, only string) []*visit {
	var visits []*visit
	for _, t := range targets {
		if only == "" || only == t.name {
			visits = append(visits, t.visit(ctx))
		}
	}
	return visits
}

func (t target) visit(ctx context.Context) *visit {
	v := &visit{Target: t.name, Via: t.String(), Skipped: t.missing}
	if t.missing != "" {
		return v
	}
	watch := &stopwatch{next: t.courier()}
	if err := v.meet(ctx, watch); err != nil {
		v.Failed, v.Error = true, safe(err.Error(), 2000)
		return v
	}
	for _, a := range audits {
		o := inspect(ctx, a, watch)
		v.AuditTime += o.Took
		v.Failed = v.Failed || o.isFailure(t.root)
		v.Audits = append(v.Audits, o)
	}
	return v
}

// meet asks who is there, and what it costs to ask.
func (v *visit) meet(ctx context.Context, watch *stopwatch) error {
	ctx, cancel := context.WithTimeout(ctx, auditTime)
	defer cancel()
	name, err := whoami.On(watch)(ctx)
	if err != nil {
		return err
	}
	run, call := watch.last()
	v.User, v.UID, v.Host = plain(name), run.UID, plain(run.Host)
	v.CallTime, v.WorkerStart = call, call-run.Took
	return nil
}

// inspect runs one audit, and sorts out what its error means.
func inspect(ctx context.Context, a audit, watch *stopwatch) outcome {
	ctx, cancel := context.WithTimeout(ctx, auditTime)
	defer cancel()
	r, err := a.run(ctx, watch)
	_, took := watch.last()
	o := outcome{Name: a.name, Took: took}
	if err != nil {
		// The error came back from another process as what it was there: an *fs.PathError with EACCES inside.
		o.Denied = errors.Is(err, fs.ErrPermission)
		o.Error = safe(err.Error(), 400)
		o.missing = errors.Is(err, fs.ErrNotExist)
		return o
	}
	o.Summary, o.Findings, o.Report = r.String(), r.All(), r
	return o
}

// isFailure says whether it should have worked. A user who is not root is denied some answers, and a machine without
// an ssh server has no configuration of one; neither is a failure.
func (o outcome) isFailure(root bool) bool {
	return o.Error != "" && !o.missing && (root || !o.Denied)
}

// A stopwatch is a courier around a courier. It keeps who ran the last call, and how long the caller waited for it.
type stopwatch struct {
	next box.Courier

	mu   sync.Mutex // guards the rest
	run  box.Run
	took time.Duration
}

func (s *stopwatch) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	start := time.Now()
	reply, err := s.next.Deliver(ctx, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.run, s.took = box.Run{}, time.Since(start)
	if reply != nil {
		s.run = reply.Run
	}
	return reply, err
}

func (s *stopwatch) last() (box.Run, time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.run, s.took
}
