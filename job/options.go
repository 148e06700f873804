package job

import (
	"os"
	"os/user"
	"time"

	"github.com/seed354a1416/deliveryboy/job/store"
)

// Options are how a job runs. The zero value of every field is its default. Directory, environment, umask and priority of
// the function are those of the courier that starts the job.
type Options struct {
	// ID is the job's identifier, from [NewID]. Empty: a new one. Who sets it can give an order again when nobody knows
	// what became of the first time: the job runs once.
	ID string

	Name      string // for people, in listings; at most 256 bytes
	Submitter string // who orders it, for a fair queue and for listings; empty: user@host of this process. Nobody checks it

	After   time.Time     // it does not run before, on the target's clock
	Timeout time.Duration // how long an attempt may take; 0: as long as it likes
	Grace   time.Duration // how long a cancelled function may take to return; 0: 1s; at most 1 minute
	Tries   int           // how often it may run until it returns without an error; 0: once. More needs Rules.Idempotent
	Pause   time.Duration // between two tries, doubled each time; 0: none

	// Keep is how long it stays when it has ended, if nobody takes it away; then the next keeper that ends, or Collect, does. 0:
	// for ever.
	Keep   time.Duration
	Forget bool // nobody will ask: it goes away when it has ended, with result and output

	// Queue lets the job wait until one of the Slots of the queue of this name is free, on the target, for its user. Each
	// submitter's jobs start in order, and submitters take turns. Slots is 1 if it is 0. All who use a queue should agree on
	// it: the largest counts. A queue's jobs have the priority of whoever started its process, at best, unless the user is
	// root. Empty: the job runs at once.
	Queue string
	Slots int

	// Output is how many bytes the job's output may take on the target's disk: 1 MiB or more, 0 for 64 MiB. Of longer output
	// the newest part stays, or the oldest if KeepOldest is set; how much is missing is said where it is.
	Output     int64
	KeepOldest bool
}

// NewID returns an identifier for a job. Those of later ones sort behind it.
func NewID() string { return store.NewID() }

func (o Options) record(function string) store.Record {
	r := store.Record{
		ID: o.ID, Func: function, Name: o.Name, Submitter: o.Submitter, After: o.After, Timeout: o.Timeout, Grace: o.Grace,
		Tries: o.Tries, Pause: o.Pause, Keep: o.Keep, Forget: o.Forget, Queue: o.Queue, Slots: o.Slots,
		Output: o.Output, Oldest: o.KeepOldest,
	}
	if r.ID == "" {
		r.ID = NewID()
	}
	if r.Submitter == "" {
		r.Submitter = here()
	}
	if r.Queue != "" && r.Slots == 0 {
		r.Slots = 1
	}
	return r
}

// here is user@host of this process.
func here() string {
	name := "?"
	if u, err := user.Current(); err == nil {
		name = u.Username
	}
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return name + "@" + host
}
