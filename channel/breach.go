package channel

import (
	"fmt"

	"github.com/seed354a1416/deliveryboy/channel/wire"
)

// breach is the error of a frame that the other side may not send. It ends the connection.
func breach(f wire.Frame, format string, args ...any) error {
	return &wire.FrameError{Type: f.Type, Stream: f.Stream, Offset: -1, Why: fmt.Sprintf(format, args...), Err: wire.ErrProtocol}
}
