package channel

import (
	"context"
	"fmt"
	"os"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// maxFiles is how many descriptors may wait to be taken. More are closed as they come.
const maxFiles = 16

// A fileShelf holds descriptors that came until somebody takes them. It is guarded by the mux's mutex.
type fileShelf struct {
	files   map[uint32]*os.File // by stream
	changed chan struct{}       // closed when one comes; nil if nobody waits
}

func (s *fileShelf) put(id uint32, f *os.File) bool {
	if len(s.files) >= maxFiles || s.files[id] != nil {
		return false
	}
	if s.files == nil {
		s.files = map[uint32]*os.File{}
	}
	s.files[id] = f
	if s.changed != nil {
		close(s.changed)
		s.changed = nil
	}
	return true
}

func (s *fileShelf) empty() []*os.File {
	var files []*os.File
	for _, f := range s.files {
		files = append(files, f)
	}
	s.files = nil
	return files
}

// SendFile passes a descriptor to the other side, where [Mux.File] finds it under the number of a stream. It works
// between processes of one machine that share a socket.
func (m *Mux) SendFile(id uint32, f *os.File) error {
	lane := m.wire
	if m.o.Lane != nil {
		lane = m.o.Lane
	}
	return lane.WriteDescriptors(id, f)
}

// File waits for the descriptor that the other side passes under a stream's number. It belongs to the caller then.
func (m *Mux) File(ctx context.Context, id uint32) (*os.File, error) {
	for {
		m.mu.Lock()
		if f := m.files.files[id]; f != nil {
			delete(m.files.files, id)
			m.mu.Unlock()
			return f, nil
		}
		if m.err != nil {
			defer m.mu.Unlock()
			return nil, &LostError{m.err}
		}
		if m.files.changed == nil {
			m.files.changed = make(chan struct{})
		}
		changed := m.files.changed
		m.mu.Unlock()
		select {
		case <-changed:
		case <-m.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// RunLane takes in the descriptors that come on a wire of their own, until it ends. Nothing else may come there.
func (m *Mux) RunLane(lane *wire.Wire) error {
	for {
		f, err := lane.Next()
		if err != nil {
			return err
		}
		if f.Type != wire.Descriptor {
			closeAll(f.Files)
			return breach(f, "only descriptors may come here")
		}
		m.receiveFiles(f)
	}
}

// receiveFiles keeps one descriptor for whoever was told to expect it, and closes what nobody will.
func (m *Mux) receiveFiles(f wire.Frame) {
	m.mu.Lock()
	kept := len(f.Files) == 1 && m.err == nil && m.files.put(f.Stream, f.Files[0])
	m.mu.Unlock()
	if !kept {
		closeAll(f.Files)
	}
}

// errNoLane is the error of an open file that cannot travel.
func errNoLane(what string, cause error) error {
	return &box.EncodingError{What: what, Err: cause, Why: fmt.Sprintf("%T travels as a descriptor, which passes only between processes of one machine, through self, sudo or userns: over other transports use io.Reader, io.Writer or an io.ReadCloser result", (*os.File)(nil))}
}
