package channel

import (
	"encoding/binary"
	"errors"
	"io"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// Run reads the wire until it ends, and gives everyone their part. It returns why: nil if the other side ended between
// frames or [Mux.Shut] was called before. All streams have failed then, and all goroutines of the mux have ended.
func (m *Mux) Run() error {
	stop := m.startHeart()
	err := m.read()
	m.Shut(err)
	stop()
	m.errands.wait()
	if err = m.Err(); errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil
	}
	return err
}

func (m *Mux) read() error {
	for {
		f, err := m.wire.Next()
		if err != nil {
			return err
		}
		if m.o.Heartbeat > 0 {
			m.heard.Store(true)
		}
		if err := m.dispatch(f); err != nil {
			return err
		}
	}
}

// dispatch gives a frame to whom it is for. An error is the other side's breach of the protocol.
func (m *Mux) dispatch(f wire.Frame) error {
	switch f.Type {
	case wire.Data:
		if s := m.stream(f.Stream); s != nil { // else it was closed here meanwhile
			return s.data(f)
		}
	case wire.Credit:
		if s := m.stream(f.Stream); s != nil {
			return s.credited(f)
		}
	case wire.Open:
		return m.opened(f)
	case wire.Close:
		if f.Stream == 0 {
			m.o.Handler.Frame(f)
		} else if s := m.stream(f.Stream); s != nil {
			s.closedByPeer(f.Payload)
		}
	case wire.Ping:
		if f.Flags&wire.Answer == 0 {
			payload := append([]byte(nil), f.Payload[:min(len(f.Payload), 8)]...)
			m.errands.do(func() { _ = m.wire.WriteFrame(wire.Ping, wire.Answer, f.Stream, payload) })
		}
	case wire.Callback:
		m.callback(f)
	case wire.Reply:
		if !m.callbackReply(f) {
			m.o.Handler.Message(f)
		}
	case wire.Call:
		m.o.Handler.Message(f)
	case wire.Descriptor:
		m.receiveFiles(f)
	default:
		m.o.Handler.Frame(f)
	}
	return nil
}

// opened puts a stream of the other side's on the table.
func (m *Mux) opened(f wire.Frame) error {
	if len(f.Payload) != 5 || f.Stream == 0 || m.mine(f.Stream) {
		return breach(f, "an opening of %d bytes, by whom this id is not", len(f.Payload))
	}
	m.mu.Lock()
	if m.err != nil {
		m.mu.Unlock()
		return nil
	}
	if m.streams[f.Stream] != nil {
		m.mu.Unlock()
		return breach(f, "it is open already")
	}
	if m.theirs >= m.o.MaxStreams {
		m.mu.Unlock()
		fault := box.EncodeFault(box.FaultOf(errTooManyStreams))
		m.errands.do(func() { _ = m.wire.WriteFrame(wire.Close, wire.End, f.Stream, fault) })
		return nil
	}
	s := newStream(m, f.Stream, false)
	m.streams[s.id] = s
	m.theirs++
	purpose, call := Purpose(f.Payload[0]), binary.BigEndian.Uint32(f.Payload[1:])
	s.adopted = purpose != ForValue
	m.mu.Unlock()
	if purpose != ForValue {
		m.o.Handler.Opened(s, purpose, call)
	}
	return nil
}

// mine says whether an id is one of those that this side gives.
func (m *Mux) mine(id uint32) bool { return id%2 == uint32(m.o.Side)%2 }
