package box

import (
	"fmt"
	"slices"
	"time"
)

// A box or a reply travels in segments: first its head; then Values.Types, Values.Gob, and every Values.Bulk, all of
// them as they are, uncopied.

const (
	// MaxSegments is how many segments one box or reply may have.
	MaxSegments = 4096

	// maxHead is what the head may take. The largest fault that a worker may pack fits twice.
	maxHead = 4 << 20

	// maxStreams is how many live values one box or reply may have.
	maxStreams = 256

	// maxTrace is how many keys and values of a trace are read. How many are sent is up to CheckTrace.
	maxTrace = 4096

	// parts is how many segments stand before Values.Bulk.
	parts = 3
)

// Segments returns the box as it travels in frames. They share its memory: it must not change until they are sent.
func (b *Box) Segments() ([][]byte, error) { return b.segments(0, b.Args.Types) }

// segments returns the box with the types that it is to carry; id is their number on the link, 0 for none.
func (b *Box) segments(id uint32, types []byte) ([][]byte, error) {
	p := pen{out: make([]byte, 0, 64)}
	p.string(b.Func)
	p.int(int64(b.Timeout))
	p.uint(uint64(b.After))
	p.uint(uint64(id))
	p.streams(b.Streams)
	p.uint(uint64(2 * len(b.Trace)))
	if len(b.Trace) > 0 {
		keys := make([]string, 0, len(b.Trace))
		for key := range b.Trace {
			keys = append(keys, key)
		}
		slices.Sort(keys)
		for _, key := range keys {
			p.string(key)
			p.string(b.Trace[key])
		}
	}
	return segments("box", p.out, types, b.Args)
}

// Segments returns the reply as it travels in frames, without what the courier adds. They share its memory.
func (r *Reply) Segments() ([][]byte, error) { return r.segments(0, r.Results.Types) }

func (r *Reply) segments(id uint32, types []byte) ([][]byte, error) {
	p := pen{out: make([]byte, 0, 96)}
	p.run(&r.Run)
	p.uint(uint64(r.Dropped))
	p.uint(uint64(id))
	p.streams(r.Streams)
	p.bool(r.Fault != nil)
	if r.Fault != nil {
		p.fault(r.Fault)
	}
	p.bool(r.Refusal != nil)
	if f := r.Refusal; f != nil {
		p.string(f.Class)
		p.string(f.Func)
		p.string(f.What)
		p.string(f.Path)
		p.string(f.Why)
		p.bool(f.Ran)
	}
	return segments("reply", p.out, types, r.Results)
}

// BoxFromSegments reads what [Box.Segments] wrote; the box keeps the segments. Bytes from a hostile sender make an
// *[EncodingError], and never a panic or a large allocation.
func BoxFromSegments(segs [][]byte) (*Box, error) {
	b, _, err := boxFrom(segs)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// boxFrom reads a box and the number of its types. With an error, the box may be there nevertheless, up to what is wrong.
func boxFrom(segs [][]byte) (b *Box, types uint32, err error) {
	values, err := valuesFrom("box", segs)
	if err != nil {
		return nil, 0, err
	}
	e := eye{in: segs[0]}
	b = &Box{Func: e.string(), Args: values, Timeout: time.Duration(e.int()), After: e.small()}
	types = e.small()
	b.Streams = e.streams()
	trace := e.strings("strings in its trace", maxTrace)
	if err := e.end("box"); err != nil {
		return b, 0, err
	}
	if len(trace)%2 != 0 {
		return b, 0, &EncodingError{What: "box", Path: ".Trace", Why: "a key without a value"}
	}
	if len(trace) > 0 {
		b.Trace = make(map[string]string, len(trace)/2)
	}
	for pair := range slices.Chunk(trace, 2) {
		b.Trace[pair[0]] = pair[1]
	}
	return b, types, nil
}

// ReplyFromSegments reads what [Reply.Segments] wrote, as [BoxFromSegments] does.
func ReplyFromSegments(segs [][]byte) (*Reply, error) {
	r, _, err := replyFrom(segs)
	return r, err
}

func replyFrom(segs [][]byte) (r *Reply, types uint32, err error) {
	values, err := valuesFrom("reply", segs)
	if err != nil {
		return nil, 0, err
	}
	e := eye{in: segs[0]}
	r = &Reply{Results: values, Run: e.run(), Dropped: int64(e.uint())}
	types = e.small()
	r.Streams = e.streams()
	if e.bool() {
		r.Fault = e.fault()
	}
	if e.bool() {
		r.Refusal = &Refusal{Class: e.string(), Func: e.string(), What: e.string(), Path: e.string(), Why: e.string(), Ran: e.bool()}
	}
	if err := e.end("reply"); err != nil {
		return nil, 0, err
	}
	return r, types, nil
}

func (p *pen) run(r *Run) {
	p.string(r.Host)
	p.int(int64(r.PID))
	p.int(int64(r.UID))
	p.int(int64(r.GID))
	p.time(r.Start)
	p.int(int64(r.Took))
}

func (e *eye) run() Run {
	return Run{
		Host: e.string(), PID: int(e.int()), UID: int(e.int()), GID: int(e.int()), Start: e.time(), Took: time.Duration(e.int()),
	}
}

func (p *pen) streams(refs []LiveRef) {
	p.uint(uint64(len(refs)))
	for _, r := range refs {
		p.uint(uint64(r.Slot))
		p.uint(uint64(r.Stream))
	}
}

func (e *eye) streams() []LiveRef {
	n := e.count("live values", maxStreams)
	if n == 0 {
		return nil
	}
	refs := make([]LiveRef, n)
	for i := range refs {
		refs[i] = LiveRef{Slot: int(e.small()), Stream: e.small()}
	}
	return refs
}

func segments(what string, head, types []byte, v Values) ([][]byte, error) {
	if n := parts + len(v.Bulk); n > MaxSegments {
		return nil, &EncodingError{What: what, Why: fmt.Sprintf("%d segments, more than the limit of %d", n, MaxSegments)}
	}
	if len(head) > maxHead {
		return nil, &EncodingError{What: what, Why: headTooLong(len(head))}
	}
	return append(append(make([][]byte, 0, parts+len(v.Bulk)), head, types, v.Gob), v.Bulk...), nil
}

func valuesFrom(what string, segs [][]byte) (v Values, err error) {
	if n := len(segs); n < parts || n > MaxSegments {
		return v, &EncodingError{What: what, Why: fmt.Sprintf("%d segments; it has %d to %d", n, parts, MaxSegments)}
	}
	if len(segs[0]) > maxHead {
		return v, &EncodingError{What: what, Why: headTooLong(len(segs[0]))}
	}
	if len(segs[1]) > 0 {
		v.Types = segs[1]
	}
	if len(segs[2]) > 0 {
		v.Gob = segs[2]
	}
	if len(segs) > parts {
		v.Bulk = segs[parts:]
	}
	return v, nil
}

func headTooLong(n int) string {
	return fmt.Sprintf("the head is %d bytes, more than the limit of %d", n, maxHead)
}
