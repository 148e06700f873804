package job

import (
	"context"
	"fmt"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/spool"
	"github.com/seed354a1416/deliveryboy/job/store"
	"github.com/seed354a1416/deliveryboy/registry"
)

// The functions that run on the target. They are ordinary registered functions, so that jobs work over every courier; all
// but start may be repeated, and start too, because it is told the identifier.
var (
	startThere   = registered("start", startHere, "starts a job")
	statusThere  = registered("status", statusHere, "says how far a job is")
	waitThere    = registered("wait", waitHere, "waits for the end of a job")
	followThere  = registered("follow", followHere, "passes on what a job prints")
	orderThere   = registered("order", orderHere, "gives an order to the keeper of a job")
	listThere    = registered("list", listHere, "lists the jobs of the user")
	freeThere    = registered("free", freeHere, "takes a job away")
	collectThere = registered("collect", collectHere, "takes old jobs away")
)

func registered[F any](name string, fn F, doc string) registry.Func[F] {
	return registry.Register("deliveryboy.job."+name, fn, registry.Rules{Doc: doc, Idempotent: true})
}

// An order is what travels to start a job: as one sealed piece, because its reader has no types to learn then, which every
// fresh process would do anew.
type order struct {
	Record store.Record
	Call   [][]byte // the box, as segments
}

const orderKind = "order"

func (o *order) pack() ([]byte, error) { return store.Seal(orderKind, &o.Record, o.Call) }

func unpackOrder(data []byte) (o order, err error) {
	o.Call, err = store.Unseal(data, orderKind, &o.Record)
	return o, err
}

// An ended is what comes back of a job that has ended, or is lost.
type ended struct {
	Info  Info
	Reply [][]byte // segments, if the function gave one
	Fault []byte   // else why not
}

// An answer is what a keeper says to an order.
type answer struct {
	Stats Stats
	Dump  string
}

// check refuses an order that nobody could carry out.
func (o *order) check(ctx context.Context) error {
	r := &o.Record
	entry, ok := registry.Lookup(r.Func)
	if !ok || !box.Permits(ctx, r.Func) {
		return &box.PackingError{Func: r.Func, Why: "this worker may not start it as a job"}
	}
	if live := entry.Live(); live != "" {
		return detachable(r.Func, live)
	}
	b, err := box.BoxFromSegments(o.Call)
	if err != nil {
		return err
	}
	if b.Func != r.Func || len(b.Streams) > 0 {
		return &box.PackingError{Func: r.Func, Why: "the call in the order is another one"}
	}
	if r.Tries > 1 && !entry.Idempotent() {
		return &box.PackingError{Func: r.Func, Why: "it is not registered as idempotent, so it may not be tried again"}
	}
	return checkRecord(r)
}

func detachable(function, live string) error {
	return &box.PackingError{Func: function, Why: live + " stays with the caller, and a job outlives that: pass a value, or the path of a file"}
}

func checkRecord(r *store.Record) error {
	bad := func(format string, args ...any) error {
		return &box.PackingError{Func: r.Func, Why: "job: " + fmt.Sprintf(format, args...)}
	}
	if err := store.CheckID(r.ID); err != nil {
		return bad("%v", err)
	}
	if r.Queue != "" {
		if err := store.CheckQueue(r.Queue); err != nil {
			return bad("%v", err)
		}
		if r.Slots < 1 || r.Slots > MaxSlots {
			return bad("queue %s with %d slots; 1 to %d are allowed", r.Queue, r.Slots, MaxSlots)
		}
	}
	for _, text := range []string{r.Name, r.Submitter} {
		if len(text) > MaxText {
			return bad("%.40q… has %d bytes; at most %d are allowed", text, len(text), MaxText)
		}
	}
	for name, d := range map[string]time.Duration{"Timeout": r.Timeout, "Grace": r.Grace, "Pause": r.Pause, "Keep": r.Keep} {
		if d < 0 {
			return bad("%s %s: it must not be negative", name, d)
		}
	}
	switch {
	case r.Grace > MaxGrace:
		return bad("Grace %s: at most %s is allowed", r.Grace, MaxGrace)
	case r.Tries < 0 || r.Tries > MaxTries:
		return bad("Tries %d: 0 to %d are allowed", r.Tries, MaxTries)
	case r.Output != 0 && (r.Output < MinOutput || r.Output > MaxOutput):
		return bad("Output %d: %d to %d bytes are allowed, or 0 for %d", r.Output, MinOutput, MaxOutput, int64(spool.DefaultLimit))
	}
	return nil
}

// Limits of Options.
const (
	MaxText   = 256            // bytes of Name and of Submitter
	MaxTries  = 1000           // of Tries
	MaxSlots  = store.MaxSlots // of Slots
	MaxGrace  = time.Minute    // of Grace
	MinOutput = spool.MinLimit // of Output
	MaxOutput = int64(1 << 40)
)
