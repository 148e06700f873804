package process

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Output runs the command and returns what it writes to stdout. If Stderr is nil, an *[ExitError] has what it wrote there.
func (c *Cmd) Output() ([]byte, error) {
	if c.Stdout != nil {
		return nil, errors.New("process: Stdout already set")
	}
	var stdout bytes.Buffer
	c.Stdout = &stdout
	var kept *excerpt
	if c.Stderr == nil {
		kept = new(excerpt)
		c.Stderr = kept
	}
	err := c.Run()
	var exit *ExitError
	if kept != nil && errors.As(err, &exit) {
		exit.Stderr = kept.bytes()
	}
	return stdout.Bytes(), err
}

// CombinedOutput runs the command and returns what it writes to stdout and stderr.
func (c *Cmd) CombinedOutput() ([]byte, error) {
	switch {
	case c.Stdout != nil:
		return nil, errors.New("process: Stdout already set")
	case c.Stderr != nil:
		return nil, errors.New("process: Stderr already set")
	}
	var both bytes.Buffer
	c.Stdout, c.Stderr = &both, &both
	err := c.Run()
	return both.Bytes(), err
}

// StdinPipe returns what writes to the command's stdin. Wait closes it when the command has ended; close it earlier for a
// command that reads to the end.
func (c *Cmd) StdinPipe() (io.WriteCloser, error) {
	if c.Stdin != nil {
		return nil, errors.New("process: Stdin already set")
	}
	r, w, err := c.pipe("StdinPipe")
	if err != nil {
		return nil, err
	}
	c.Stdin = r
	c.ends, c.pipes = append(c.ends, r), append(c.pipes, w)
	return w, nil
}

// StdoutPipe returns what the command writes to stdout. Wait closes it: call it after everything has been read. Over a
// courier the end of it comes with that of the process.
func (c *Cmd) StdoutPipe() (io.ReadCloser, error) {
	if c.Stdout != nil {
		return nil, errors.New("process: Stdout already set")
	}
	r, w, err := c.pipe("StdoutPipe")
	if err != nil {
		return nil, err
	}
	c.Stdout = w
	c.ends, c.pipes = append(c.ends, w), append(c.pipes, r)
	return r, nil
}

// StderrPipe returns what the command writes to stderr, as StdoutPipe does for stdout.
func (c *Cmd) StderrPipe() (io.ReadCloser, error) {
	if c.Stderr != nil {
		return nil, errors.New("process: Stderr already set")
	}
	r, w, err := c.pipe("StderrPipe")
	if err != nil {
		return nil, err
	}
	c.Stderr = w
	c.ends, c.pipes = append(c.ends, w), append(c.pipes, r)
	return r, nil
}

func (c *Cmd) pipe(what string) (r, w *os.File, err error) {
	if c.Process != nil {
		return nil, nil, fmt.Errorf("process: %s after process started", what)
	}
	return os.Pipe()
}

// maxExcerpt is how much an excerpt keeps of the beginning, and of the end.
const maxExcerpt = 32 << 10

// An excerpt keeps the beginning and the end of what is written to it.
type excerpt struct {
	head, tail []byte
	dropped    int64
}

func (e *excerpt) Write(data []byte) (int, error) {
	n := min(maxExcerpt-len(e.head), len(data))
	e.head = append(e.head, data[:n]...)
	e.tail = append(e.tail, data[n:]...)
	if over := len(e.tail) - maxExcerpt; over > maxExcerpt { // not at every write
		e.drop(over)
	}
	return len(data), nil
}

func (e *excerpt) drop(n int) {
	e.dropped += int64(n)
	e.tail = append(e.tail[:0], e.tail[n:]...)
}

func (e *excerpt) bytes() []byte {
	if over := len(e.tail) - maxExcerpt; over > 0 {
		e.drop(over)
	}
	if e.dropped > 0 {
		return fmt.Appendf(bytes.Clone(e.head), "\n... omitting %d bytes ...\n%s", e.dropped, e.tail)
	}
	return append(bytes.Clone(e.head), e.tail...)
}
