//go:build !linux

package wire

import (
	"errors"
	"os"
)

// A Socket is the reading end of a unix socket over which descriptors come along with bytes. There is none on this
// system yet.
type Socket struct{}

var errNoSocket = errors.New("wire: descriptors cannot pass on this system")

// NewSocket returns an error on this system.
func NewSocket(*os.File) (*Socket, error) { return nil, errNoSocket }

// Read returns an error.
func (s *Socket) Read([]byte) (int, error) { return 0, errNoSocket }

func (s *Socket) take(int) []*os.File { return nil }

// Close does nothing.
func (s *Socket) Close() {}

// WriteDescriptors returns an error on this system.
func (out *outbound) WriteDescriptors(stream uint32, _ ...*os.File) error {
	return out.failed(Descriptor, stream, errNoSocket)
}
