package wire

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// TraceVariable is the environment variable that has every frame traced: 1 into a file deliveryboy-debug-PID in the
// directory for temporary files, 2 to stderr. What is in a frame is never shown.
const TraceVariable = "DELIVERYBOY_DEBUG"

// A Trace writes one line for each frame: when, which way, what, on which stream, and how long. A nil Trace writes none.
type Trace struct {
	begin time.Time

	mu sync.Mutex // guards w
	w  io.Writer
}

// NewTrace returns a trace that writes to w.
func NewTrace(w io.Writer) *Trace { return &Trace{begin: time.Now(), w: w} }

var environmentTrace = sync.OnceValues(func() (*Trace, error) { return openTrace(os.Getenv(TraceVariable)) })

func openTrace(mode string) (*Trace, error) {
	switch mode {
	case "":
		return nil, nil
	case "1":
		name := filepath.Join(os.TempDir(), fmt.Sprintf("deliveryboy-debug-%d", os.Getpid()))
		// The directory is everybody's: what is there already, be it a link, is not ours to write to.
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|os.O_APPEND, 0o600)
		if err != nil {
			return nil, fmt.Errorf("wire: %s=1: %w", TraceVariable, err)
		}
		return NewTrace(f), nil
	case "2":
		return NewTrace(os.Stderr), nil
	default:
		return nil, fmt.Errorf("wire: %s=%.80q: it is 1, for a file in %s, or 2, for stderr", TraceVariable, mode, os.TempDir())
	}
}

// TraceFromEnvironment returns the trace that [TraceVariable] asks for, the same one each time; nil for none.
func TraceFromEnvironment() (*Trace, error) { return environmentTrace() }

// The directions of a frame.
const (
	inward  = "<"
	outward = ">"
)

func (t *Trace) frame(way string, h *Header) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// A trace that cannot be written must not end a call.
	_, _ = fmt.Fprintf(t.w, "[%d] %10.6f %s %s flags %d stream %d, %d bytes\n",
		os.Getpid(), time.Since(t.begin).Seconds(), way, h.Type(), h.Flags(), h.Stream(), h.Length())
}
