package process

import (
	"bytes"
	"io"
	"slices"
)

// A Stream is one that is written to: the input of a process, or one of its Streams. What comes back from one of these is
// told by [Process.OnOutput].
type Stream struct {
	p     *Process
	label string
	id    int
}

// Stdin returns the input of a process whose Config asks for one.
func (p *Process) Stdin() (*Stream, error) {
	if !p.cfg.Input {
		return nil, p.cfg.wrong("input", "stdin is no pipe: set input")
	}
	return &Stream{p, stdinLabel, 0}, nil
}

// stdinLabel is that of no stream.
const stdinLabel = "stdin"

// Stream returns one of the Streams of the Config.
func (p *Process) Stream(label string) (*Stream, error) {
	i := slices.Index(p.cfg.Streams, label)
	if i < 0 {
		return nil, p.cfg.wrong("streams", "there is no stream "+quote(label))
	}
	return &Stream{p, label, 3 + i}, nil
}

// Label is its label; "stdin" for the input.
func (s *Stream) Label() string { return s.label }

// ID is the descriptor that the process has it as.
func (s *Stream) ID() int { return s.id }

// Write writes all of data, unmixed with what others write meanwhile. It waits while the process does not read.
func (s *Stream) Write(data []byte) (int, error) {
	b, err := s.p.alive()
	if err != nil {
		return 0, err
	}
	return b.write(s.label, data)
}

// WriteLines writes lines, each with a newline at its end, unmixed with what others write meanwhile.
func (s *Stream) WriteLines(lines ...string) error {
	var b bytes.Buffer
	for _, line := range lines {
		b.WriteString(line)
		b.WriteByte('\n')
	}
	_, err := s.Write(b.Bytes())
	return err
}

// Close ends what the process reads there. What it still writes to a two-way stream arrives.
func (s *Stream) Close() error {
	b, err := s.p.alive()
	if err != nil {
		return err
	}
	return b.closeWrite(s.label)
}

// sink is what an output, or stream, is written to.
func (p *Process) sink(label string) io.Writer {
	if p.outward != nil {
		return p.outward(label)
	}
	return &publisher{p, label}
}

// A publisher makes events of what is written to it.
type publisher struct {
	p     *Process
	label string
}

func (w *publisher) Write(data []byte) (int, error) {
	if w.p.bus.Heard(TopicOutput + "." + w.label) {
		w.p.publish(Event{Topic: TopicOutput + "." + w.label, Label: w.label, Data: bytes.Clone(data)})
	}
	return len(data), nil
}
