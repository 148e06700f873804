package channel

import (
	"bytes"
	"io"
	"sync"

	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// pooled is from which size on the memory of a piece is used again. Less would let a piece hold much more than it fills.
const pooled = chunk / 2

var pieces = sync.Pool{New: func() any {
	b := make([]byte, chunk)
	return &b
}}

// newPiece takes a payload from the wire: a small one is copied, for a large one the wire gets other memory.
func newPiece(payload []byte, w *wire.Wire) piece {
	if len(payload) < pooled || cap(payload) < chunk {
		return piece{data: bytes.Clone(payload)}
	}
	buf := pieces.Get().(*[]byte)
	payload = w.Exchange(*buf)
	*buf = payload[:cap(payload)]
	return piece{data: payload, buf: buf}
}

// own returns the data for somebody to keep.
func (p *piece) own() []byte {
	if p.buf == nil {
		return p.data
	}
	return bytes.Clone(p.data)
}

// release gives the memory back. Nobody may have the data then.
func (p *piece) release() {
	if p.buf != nil {
		pieces.Put(p.buf)
	}
}

// ended is what the end of a direction means to who reads it: an item that is not complete was cut.
func ended(item []byte) error {
	if item != nil {
		return io.ErrUnexpectedEOF
	}
	return io.EOF
}
