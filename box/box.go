package box

import (
	"context"
	"fmt"
	"reflect"
	"time"
)

// A Courier delivers one box and brings the reply back.
//
// The error says that the box did not arrive, or that no reply came back; it is a *[DeliveryError]. Whatever the
// function itself returned, a panic included, is in the reply. Couriers may be wrapped: retry, limit, log and dry-run
// are couriers around a courier. Deliver may be called from many goroutines at once.
type Courier interface {
	Deliver(ctx context.Context, b *Box) (*Reply, error)
}

// A Box is one call, packed.
type Box struct {
	Func    string            // the registered name
	Args    Values            // the arguments, without the leading context
	Timeout time.Duration     // the time left when the box was packed; 0 means no deadline
	Trace   map[string]string // trace context, such as traceparent
	After   uint32            // on a link: the call that has to end well before this one runs; 0 for none
	Live    []Live            // arguments that stay with the caller; they do not travel, but as Streams
	Streams []LiveRef         // on a link: where live arguments are
	Starts  string            // a function that this one has run, later: who narrows a worker admits it too; it does not travel
}

// A Live value stays where it is while a call runs, and is bridged: an io.Reader, a channel, a callback.
type Live struct {
	Slot  int // among the arguments without a leading context, or the results without a trailing error
	Value reflect.Value
}

// A LiveRef says which stream of a link stands for a live value; 0 stands for nil.
type LiveRef struct {
	Slot   int
	Stream uint32
}

// A Reply is the way back of a Box.
type Reply struct {
	Results Values   // the results, without a trailing error
	Fault   *Fault   // the function's error, panic or sudden end; nil if it returned normally
	Refusal *Refusal // why the box was not opened; nil if it was
	Run     Run      // who ran the function, and when
	Dropped int64    // bytes of output over the limit, which were dropped

	Streams []LiveRef // on a link: where live results are
	Live    []Live    // live results

	// Set by the courier on the near side; they do not travel.
	Excess  Excess // what came around the reply
	Origin  Origin // the way the reply took, printed with its error
	Repanic bool   // a panic of the function is to be a panic of the caller
}

// Run says who ran a function, and when.
type Run struct {
	Host     string
	PID      int
	UID, GID int
	Start    time.Time     // on the far side's clock
	Took     time.Duration // the function alone
}

// Origin is where a reply comes from, for people to read.
type Origin struct {
	Func string   // the function's registered name
	Via  string   // the transport in spec form; empty in this process
	Hops []string // one line per hop: the argv that each one runs
	Run  Run
}

// Excess is what a transport carried besides the protocol: banners, lectures, prints from init functions. Each part
// keeps at most 64 KiB; Dropped counts the bytes that were over.
type Excess struct {
	Prefix  []byte // on stdout, before and between
	Suffix  []byte // on stdout, after the reply
	Stderr  []byte // on the transport's own stderr
	Dropped int64
}

// Values are arguments or results on their way. Gob holds them all in order, but large byte slices and strings, which
// travel beside it in Bulk, copied once at each end. Types describes the types in Gob where gob needs that; it is the same
// slice for all values of a [Codec].
type Values struct {
	Types []byte
	Gob   []byte
	Bulk  [][]byte
}

// Size is the number of bytes that the values take on the wire.
func (v Values) Size() int64 {
	n := int64(len(v.Types) + len(v.Gob))
	for _, b := range v.Bulk {
		n += int64(len(b))
	}
	return n
}

// String shows what a box is, and none of what is in it: arguments may be secrets.
func (b *Box) String() string {
	return fmt.Sprintf("box{%s, %d bytes of arguments}", b.Func, b.Args.Size())
}

// GoString is String: %#v must not show arguments either.
func (b *Box) GoString() string { return b.String() }

// String shows what a reply is, and none of the results.
func (r *Reply) String() string {
	what := fmt.Sprintf("%d bytes of results", r.Results.Size())
	if r.Fault != nil {
		what = r.Fault.Kind.String()
	}
	return fmt.Sprintf("reply{%s, uid %d on %s, %s}", what, r.Run.UID, r.Run.Host, r.Run.Took)
}

// GoString is String: %#v must not show results either.
func (r *Reply) GoString() string { return r.String() }
