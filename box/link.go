package box

import (
	"fmt"
	"sync"
)

// On a link, the types of values travel once: a box or reply refers to them by a number after that. One table is kept
// for each direction and end.

const (
	maxLinkTypes = 4096    // types that one direction of a link may have
	maxLinkBytes = 4 << 20 // bytes of them all
)

// TypesOut are the types that this end of a link has sent. It is safe for concurrent use; the zero value is ready.
type TypesOut struct {
	mu   sync.Mutex // guards what follows
	sent map[*byte]*sentTypes
	last uint32
	size int
}

type sentTypes struct {
	id   uint32
	over bool // they are on the wire
}

// SegmentsFor returns the box as it travels on the link. sent is to be called when the segments have been written: from
// then on, the types need not travel again. It may be nil.
func (t *TypesOut) SegmentsFor(b *Box) (segs [][]byte, sent func(), err error) {
	id, types, sent := t.number(b.Args.Types)
	segs, err = b.segments(id, types)
	return segs, sent, err
}

// ReplySegmentsFor is SegmentsFor of a reply.
func (t *TypesOut) ReplySegmentsFor(r *Reply) (segs [][]byte, sent func(), err error) {
	id, types, sent := t.number(r.Results.Types)
	segs, err = r.segments(id, types)
	return segs, sent, err
}

// number returns the number of types on this link, and the types if the other end may not have them. A codec's types are
// the same slice each time. When the table is full they travel with every message.
func (t *TypesOut) number(types []byte) (id uint32, send []byte, sent func()) {
	if len(types) == 0 {
		return 0, nil, nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.sent[&types[0]]
	switch {
	case s != nil && s.over:
		return s.id, nil, nil
	case s == nil && (t.last >= maxLinkTypes || t.size+len(types) > maxLinkBytes):
		return 0, types, nil
	case s == nil:
		if t.sent == nil {
			t.sent = map[*byte]*sentTypes{}
		}
		t.last++
		t.size += len(types)
		s = &sentTypes{id: t.last}
		t.sent[&types[0]] = s
	}
	return s.id, types, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		s.over = true
	}
}

// TypesIn are the types that came on a link. Its methods are to be called in the order in which messages came, by one
// goroutine at a time; the zero value is ready.
type TypesIn struct {
	came map[uint32][]byte
	size int
}

// BoxFromLink reads a box that [TypesOut.SegmentsFor] wrote. With an error, the box has nothing but the Streams that could be
// read: nobody else will close them.
func (t *TypesIn) BoxFromLink(segs [][]byte) (*Box, error) {
	b, id, err := boxFrom(segs)
	if err == nil {
		b.Args.Types, err = t.types("box", id, b.Args.Types)
	}
	switch {
	case b == nil:
		return &Box{}, err
	case err != nil:
		return &Box{Streams: b.Streams}, err
	}
	return b, nil
}

// ReplyFromLink reads a reply that [TypesOut.ReplySegmentsFor] wrote.
func (t *TypesIn) ReplyFromLink(segs [][]byte) (*Reply, error) {
	r, id, err := replyFrom(segs)
	if err == nil {
		r.Results.Types, err = t.types("reply", id, r.Results.Types)
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// types keeps types that came, and finds those that came before.
func (t *TypesIn) types(what string, id uint32, types []byte) ([]byte, error) {
	known := t.came[id]
	switch {
	case id == 0:
		return types, nil
	case types == nil && known == nil:
		return nil, &EncodingError{What: what, Why: fmt.Sprintf("it refers to types %d, which never came", id)}
	case types == nil:
		return known, nil
	case known != nil:
		return known, nil // sent again, by somebody who did not know yet that they were
	case len(t.came) >= maxLinkTypes || t.size+len(types) > maxLinkBytes:
		return nil, &EncodingError{What: what, Why: fmt.Sprintf("more than %d types, or %d bytes of them, came on this link", maxLinkTypes, maxLinkBytes)}
	}
	if t.came == nil {
		t.came = map[uint32][]byte{}
	}
	t.came[id] = append([]byte(nil), types...)
	t.size += len(types)
	return t.came[id], nil
}

// Item returns the values as one item of a stream: types and gob behind their lengths, the bulks behind theirs. Large
// ones are not copied.
func (v Values) Item() ([][]byte, error) {
	if len(v.Bulk) > MaxSegments {
		return nil, &EncodingError{What: "item", Why: fmt.Sprintf("%d large values, more than the limit of %d", len(v.Bulk), MaxSegments)}
	}
	var p pen
	p.bytes(v.Types)
	p.bytes(v.Gob)
	p.uint(uint64(len(v.Bulk)))
	for _, b := range v.Bulk {
		p.uint(uint64(len(b)))
	}
	return append([][]byte{p.out}, v.Bulk...), nil
}

// ValuesFromItem reads what [Values.Item] wrote; the values share its memory.
func ValuesFromItem(item []byte) (v Values, err error) {
	e := eye{in: item}
	if types := e.raw(); len(types) > 0 {
		v.Types = types
	}
	if gob := e.raw(); len(gob) > 0 {
		v.Gob = gob
	}
	sizes := make([]uint64, e.count("large values", MaxSegments))
	for i := range sizes {
		sizes[i] = e.uint()
	}
	for _, size := range sizes {
		if size > uint64(len(e.in)) {
			e.fail("a large value of %d bytes where %d follow", size, len(e.in))
			break
		}
		v.Bulk = append(v.Bulk, e.in[:size:size])
		e.in = e.in[size:]
	}
	return v, e.end("item")
}
