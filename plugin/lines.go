package plugin

import (
	"io"
	"sync"
)

// lines is the way of a worker's stderr into go-plugin's log. It never fails and, once it has ended, never blocks: a
// session that dials again goes on to write to it.
type lines struct {
	also   io.Writer // gets the same bytes; may be nil
	reader *io.PipeReader
	writer *io.PipeWriter
	once   sync.Once
}

func newLines(also io.Writer) *lines {
	l := &lines{also: also}
	l.reader, l.writer = io.Pipe()
	return l
}

// Write takes in what the worker wrote.
func (l *lines) Write(p []byte) (int, error) {
	if l.also != nil {
		if n, err := l.also.Write(p); err != nil {
			return n, err
		}
	}
	_, _ = l.writer.Write(p) // fails when nobody reads any more
	return len(p), nil
}

// end lets the reader come to its end.
func (l *lines) end() { l.once.Do(func() { _ = l.writer.Close() }) }
