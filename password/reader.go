package password

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
)

// maxLine is how long an answer may be, in bytes.
const maxLine = 1023

// Reader answers each prompt with the next line of f, such as a descriptor that whoever started this program has left
// open: os.NewFile(3, "passwords"). It reads no further than the line; the last one may lack its end. At the end of the
// file the error is ErrNone. Prompts that come at the same time wait for each other.
func Reader(f *os.File) Ask {
	turn := make(chan struct{}, 1)
	return func(ctx context.Context, _ Prompt) (box.Secret[string], error) {
		select {
		case turn <- struct{}{}:
		case <-ctx.Done():
			return box.Secret[string]{}, ctx.Err()
		}
		defer func() { <-turn }()
		stop := endReads(ctx, f)
		defer stop()
		line, err := readLine(f)
		defer clear(line)
		switch {
		case ctx.Err() != nil:
			return box.Secret[string]{}, ctx.Err()
		case errors.Is(err, io.EOF):
			return box.Secret[string]{}, ErrNone
		case err != nil:
			return box.Secret[string]{}, fmt.Errorf("password: %w", err)
		}
		return box.NewSecret(string(line)), nil
	}
}

// endReads makes reads of f return when ctx ends, where f can do that: files on disk cannot, and need not.
func endReads(ctx context.Context, f *os.File) (stop func()) {
	if f.SetReadDeadline(time.Time{}) != nil {
		return func() {}
	}
	done := make(chan struct{})
	after := context.AfterFunc(ctx, func() {
		_ = f.SetReadDeadline(time.Now())
		close(done)
	})
	return func() {
		if !after() {
			<-done
			_ = f.SetReadDeadline(time.Time{})
		}
	}
}

// readLine reads one line, byte by byte: what follows is another answer. The error is io.EOF if there is no line.
func readLine(r io.Reader) ([]byte, error) {
	line := make([]byte, 0, maxLine+1) // in one place, so that it can be cleared
	next := make([]byte, 1)
	for {
		switch n, err := r.Read(next); {
		case n > 0 && next[0] == '\n', errors.Is(err, io.EOF) && len(line) > 0:
			return line, nil
		case n > 0 && len(line) == maxLine:
			clear(line)
			return nil, fmt.Errorf("the line has more than %d bytes", maxLine)
		case n > 0:
			line = append(line, next[0])
		case err != nil:
			clear(line)
			return nil, err
		}
	}
}
