package box

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"slices"
	"time"
)

// A box or a reply travels in segments: first its head, a small gob; then Values.Gob; then every Values.Bulk, all of
// them as they are, uncopied. The head holds no map, because gob allocates a map as large as its sender claims.

const (
	// MaxSegments is how many segments one box or reply may have.
	MaxSegments = 4096

	// maxHead is what the head may take. The largest fault that a worker may pack fits twice.
	maxHead = 4 << 20

	// maxFewNodes is a head that cannot hold enough errors to harm: its nodes are not counted first.
	maxFewNodes = 64 << 10
)

// boxHead is the first segment of a box. Its fields are the wire: new ones may come, old ones keep name and type.
type boxHead struct {
	Func    string
	Timeout time.Duration
	Trace   []string // keys and values in turn, sorted by key
}

// replyHead is the first segment of a reply.
type replyHead struct {
	Fault   *Fault
	Refusal *Refusal
	Run     Run
}

// Segments returns the box as it travels in frames. They share its memory: it must not change until they are sent.
func (b *Box) Segments() ([][]byte, error) {
	head := boxHead{Func: b.Func, Timeout: b.Timeout}
	for key := range b.Trace {
		head.Trace = append(head.Trace, key)
	}
	slices.Sort(head.Trace)
	for i := len(head.Trace) - 1; i >= 0; i-- {
		head.Trace = slices.Insert(head.Trace, i+1, b.Trace[head.Trace[i]])
	}
	return segments("box", &head, b.Args)
}

// Segments returns the reply as it travels in frames, without Excess, Origin and Repanic. They share its memory.
func (r *Reply) Segments() ([][]byte, error) {
	return segments("reply", &replyHead{Fault: r.Fault, Refusal: r.Refusal, Run: r.Run}, r.Results)
}

// BoxFromSegments reads what [Box.Segments] wrote; the box keeps the segments. Bytes from a hostile sender make an
// *[EncodingError], and never a panic or a large allocation.
func BoxFromSegments(segs [][]byte) (*Box, error) {
	var head boxHead
	values, err := fromSegments("box", segs, &head)
	if err != nil {
		return nil, err
	}
	if len(head.Trace)%2 != 0 {
		return nil, &EncodingError{What: "box", Path: ".Trace", Why: "a key without a value"}
	}
	b := &Box{Func: head.Func, Args: values, Timeout: head.Timeout}
	if len(head.Trace) > 0 {
		b.Trace = make(map[string]string, len(head.Trace)/2)
	}
	for pair := range slices.Chunk(head.Trace, 2) {
		b.Trace[pair[0]] = pair[1]
	}
	return b, nil
}

// ReplyFromSegments reads what [Reply.Segments] wrote, as [BoxFromSegments] does.
func ReplyFromSegments(segs [][]byte) (*Reply, error) {
	if len(segs) > 0 && len(segs[0]) > maxFewNodes {
		if err := checkNodes(segs[0]); err != nil {
			return nil, err
		}
	}
	var head replyHead
	values, err := fromSegments("reply", segs, &head)
	if err != nil {
		return nil, err
	}
	return &Reply{Results: values, Fault: head.Fault, Refusal: head.Refusal, Run: head.Run}, nil
}

// checkNodes refuses a head with more errors than a worker may pack, before they take 200 bytes of memory for each byte
// of the head. The first look at them takes one.
func checkNodes(head []byte) error {
	var few struct {
		Fault *struct{ Nodes []struct{ Traits Traits } }
		Run   struct{ PID int }
	}
	if err := fromGob("reply", head, &few); err != nil {
		return err
	}
	if few.Fault != nil && len(few.Fault.Nodes) > maxFaultNodes {
		return &EncodingError{What: "reply", Path: ".Fault.Nodes",
			Why: fmt.Sprintf("%d errors, more than the limit of %d", len(few.Fault.Nodes), maxFaultNodes)}
	}
	return nil
}

func segments(what string, head any, v Values) (segs [][]byte, err error) {
	defer recoverTo(&err, what)
	if n := 2 + len(v.Bulk); n > MaxSegments {
		return nil, &EncodingError{What: what, Why: fmt.Sprintf("%d segments, more than the limit of %d", n, MaxSegments)}
	}
	var out bytes.Buffer
	if err := gob.NewEncoder(&out).Encode(head); err != nil {
		return nil, &EncodingError{What: what, Why: "gob", Err: err}
	}
	if out.Len() > maxHead {
		return nil, &EncodingError{What: what, Why: headTooLong(out.Len())}
	}
	return append([][]byte{out.Bytes(), v.Gob}, v.Bulk...), nil
}

func fromSegments(what string, segs [][]byte, head any) (v Values, err error) {
	if n := len(segs); n < 2 || n > MaxSegments {
		return v, &EncodingError{What: what, Why: fmt.Sprintf("%d segments; it has 2 to %d", n, MaxSegments)}
	}
	if err := fromGob(what, segs[0], head); err != nil {
		return v, err
	}
	if len(segs[1]) > 0 {
		v.Gob = segs[1]
	}
	if len(segs) > 2 {
		v.Bulk = segs[2:]
	}
	return v, nil
}

// fromGob decodes one value that takes all of head.
func fromGob(what string, head []byte, into any) (err error) {
	defer recoverTo(&err, what)
	if len(head) > maxHead {
		return &EncodingError{What: what, Why: headTooLong(len(head))}
	}
	r := bytes.NewReader(head)
	if err := gob.NewDecoder(r).Decode(into); err != nil {
		return &EncodingError{What: what, Why: "gob", Err: err}
	}
	if r.Len() > 0 {
		return &EncodingError{What: what, Why: fmt.Sprintf("%d bytes follow the head", r.Len())}
	}
	return nil
}

func headTooLong(n int) string {
	return fmt.Sprintf("the head is %d bytes, more than the limit of %d", n, maxHead)
}
