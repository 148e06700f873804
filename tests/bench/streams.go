package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// streamSize is what the rows about streams move; tests move less.
var streamSize = 1 << 30

var (
	// read takes all of a stream, and says how much that was, and by how much the process's memory grew at most, in KiB.
	read = registry.Register("bench.read", func(from io.Reader) (n int, grown int, err error) {
		before := peakKiB()
		n, err = drain(from)
		return n, peakKiB() - before, err
	})
	// printOut writes n bytes to stdout.
	printOut = registry.Register("bench.print", func(n int) (grown int, err error) {
		before := peakKiB()
		err = pour(os.Stdout, n)
		return peakKiB() - before, err
	})
)

// streamRows move a GiB that is never in memory as a whole: into a function through an io.Reader, and out of one that
// prints it.
func streamRows() []row {
	return []row{
		{
			id: "R8", name: "1 GiB through an io.Reader", unit: mebibytes, rounds: 5, spread: true,
			set: func(*stage.Stage) (*race, error) {
				bare, err := floorVia(transport.Self{}, sink)
				if err != nil {
					return nil, err
				}
				call := read.On(delivery.Once{Via: transport.Self{}})
				return &race{
					ours: speed(streamSize, func() error {
						n, grown, err := call(&zeros{left: streamSize})
						if err == nil && n != streamSize {
							err = fmt.Errorf("%d bytes arrived, not %d", n, streamSize)
						}
						return errors.Join(err, lean(grown))
					}),
					rivals: []rival{{name: "pipe copy", goal: goal{AtLeast: 0.6}, run: speed(streamSize, func() error {
						bare.from = &zeros{left: streamSize}
						return bare.run()
					})}},
				}, nil
			},
		},
		{
			id: "R9", name: "1 GiB printed", unit: mebibytes, rounds: 5, spread: true,
			set: func(*stage.Stage) (*race, error) {
				bare, err := floorVia(transport.Self{}, source, strconv.Itoa(streamSize))
				if err != nil {
					return nil, err
				}
				bare.want = streamSize
				return &race{
					ours: speed(streamSize, func() error {
						var got counter
						grown, err := printOut.On(delivery.Once{Via: transport.Self{}, Stdout: &got})(streamSize)
						if err == nil && int(got) != streamSize {
							err = fmt.Errorf("%d bytes arrived, not %d", got, streamSize)
						}
						return errors.Join(err, lean(grown))
					}),
					rivals: []rival{{name: "pipe copy", goal: goal{AtLeast: 0.5}, run: speed(streamSize, bare.run)}},
				}, nil
			},
		},
	}
}

// zeros are that many bytes.
type zeros struct{ left int }

func (z *zeros) Read(p []byte) (int, error) {
	if z.left == 0 {
		return 0, io.EOF
	}
	n := min(len(p), z.left)
	z.left -= n
	return n, nil
}

type counter int

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

// leanKiB is how much a worker that moves a stream may grow.
const leanKiB = 32 << 10

// lean reports a worker that held what it should have passed on.
func lean(grown int) error {
	if grown > leanKiB {
		return fmt.Errorf("the worker grew by %d KiB, more than %d", grown, leanKiB)
	}
	return nil
}

// peakKiB is the most memory that this process has had; 0 where that cannot be told.
func peakKiB() int { return memoryKiB("self", "VmHWM:") }

// memoryKiB reads a line of a process's status.
func memoryKiB(pid, key string) int {
	text, err := os.ReadFile("/proc/" + pid + "/status")
	if err != nil {
		return 0
	}
	_, rest, found := bytes.Cut(text, []byte(key))
	if !found {
		return 0
	}
	n, _ := strconv.Atoi(strings.Fields(string(rest))[0])
	return n
}

// sessionRows are about sessions as such: how long many take to open, and what one takes that idles.
func sessionRows() []row {
	return []row{
		{id: "R10", name: "open 50 sessions, call each", unit: milliseconds, rounds: 10, spread: true, set: manySessions},
		{id: "R11", name: "memory of an idle worker", unit: kibibytes, rounds: 5, set: idleWorker},
	}
}

const manyOpen = 50

func manySessions(*stage.Stage) (*race, error) {
	bare, err := floorVia(transport.Self{}, noop)
	if err != nil {
		return nil, err
	}
	return &race{
		ours: took(func() error {
			return twoAtATime(manyOpen, func() error {
				s, err := delivery.Open(context.Background(), transport.Self{})
				if err != nil {
					return err
				}
				_, err = next.On(s)(context.Background(), 1)
				return errors.Join(err, s.Close())
			})
		}),
		rivals: []rival{{name: "start, end", goal: goal{AtMost: 1.5}, run: took(func() error { return twoAtATime(manyOpen, bare.run) })}},
	}, nil
}

// twoAtATime runs f n times, two of them at once.
func twoAtATime(n int, f func() error) error {
	errs := make(chan error, 2)
	for range 2 {
		go func() { // the loop below waits for it
			var err error
			for range n / 2 {
				err = errors.Join(err, f())
			}
			errs <- err
		}()
	}
	return errors.Join(<-errs, <-errs)
}

func idleWorker(*stage.Stage) (*race, error) {
	s, err := delivery.Open(context.Background(), transport.Self{})
	if err != nil {
		return nil, err
	}
	raw, err := startPingPong()
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if _, err := next.On(s)(context.Background(), 1); err != nil {
		return nil, err
	}
	if err := raw.call([]byte{1}); err != nil {
		return nil, err
	}
	info, err := s.Info(context.Background())
	if err != nil {
		return nil, err
	}
	return &race{
		ours: func() (float64, error) { return float64(memoryKiB(strconv.Itoa(info.PID), "VmRSS:")), nil },
		rivals: []rival{{name: "a process that echoes", goal: goal{AtMost: 1.5}, run: func() (float64, error) {
			return float64(memoryKiB(strconv.Itoa(raw.cmd.Process.Pid), "VmRSS:")), nil
		}}},
		done: func() {
			raw.close()
			_ = s.Close()
		},
	}, nil
}
