package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
)

// A Stream is a command that goes on: it answers in parts, and hears what is said to it. Other commands use the same
// connection meanwhile.
type Stream struct {
	link  *link
	tag   uint64
	ready chan struct{} // has room for one: something is there

	mu    sync.Mutex // guards what follows
	parts []string
	end   error // io.EOF after the last part, or why there are no more; nil before
}

// maxParts is how many parts may wait to be read.
const maxParts = 4096

// Stream starts a command that goes on.
func (c *Client) Stream(ctx context.Context, words ...string) (*Stream, error) {
	for attempt := 0; ; attempt++ {
		l, err := c.connected(ctx)
		if err != nil {
			return nil, err
		}
		s := &Stream{link: l, ready: make(chan struct{}, 1)}
		s.tag, err = l.begin(words, &wait{stream: s})
		if err == nil {
			return s, nil
		}
		if !errors.Is(err, ErrLost) || attempt == mostAttempts || ctx.Err() != nil {
			return nil, err
		}
	}
}

// give adds a part; the last one ends the stream.
func (s *Stream) give(r reply, more bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) >= maxParts {
		return fmt.Errorf("kernel: it sent %d parts of a reply that nobody read", maxParts)
	}
	if r.body != "" {
		s.parts = append(s.parts, r.body)
	}
	if !more && s.end == nil {
		s.end = io.EOF
		if r.err != nil {
			s.end = r.err
		}
	}
	s.wake()
	return nil
}

func (s *Stream) wake() {
	select {
	case s.ready <- struct{}{}:
	default:
	}
}

// Ready is a channel on which something can be received when Next would not wait: for a select. What was received is not a
// part; call Next for that.
func (s *Stream) Ready() <-chan struct{} { return s.ready }

// Next returns the next part. The error is io.EOF after the last one, ErrLost if the connection ended.
func (s *Stream) Next(ctx context.Context) (string, error) {
	for {
		if part, err := s.take(); part != "" || err != nil {
			return part, err
		}
		select {
		case <-s.ready:
		case <-ctx.Done():
			return "", fmt.Errorf("kernel: %w", context.Cause(ctx))
		}
	}
}

// take returns a part that is there, or the end.
func (s *Stream) take() (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.parts) == 0 {
		if s.end != nil {
			s.wake() // it stays ready
		}
		return "", s.end
	}
	part := s.parts[0]
	s.parts = s.parts[1:]
	select { // what was said about this part is over
	case <-s.ready:
	default:
	}
	if len(s.parts) > 0 || s.end != nil {
		s.wake()
	}
	return part, nil
}

// Ended reports whether nothing more comes, though parts may wait to be read.
func (s *Stream) Ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.end != nil
}

// Send says something to the command. What comes too late, because it has ended, is not heard.
func (s *Stream) Send(words ...string) error {
	if s.Ended() {
		return nil
	}
	return s.link.send(s.tag, words)
}

// oneByOne is what read returns, one after the other, up to io.EOF or another error, which is the last pair's.
func oneByOne[T any](ctx context.Context, read func(context.Context) ([]T, error)) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		for {
			list, err := read(ctx)
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				var none T
				yield(none, err)
				return
			}
			for _, one := range list {
				if !yield(one, nil) {
					return
				}
			}
		}
	}
}
