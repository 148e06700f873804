package main

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"

	"github.com/seed354a1416/deliveryboy/transport"
)

// The parts that this program plays in a floor. Main looks for them before anything else.
const (
	noop   = "noop"   // ends at once
	sink   = "sink"   // reads its stdin to the end
	source = "source" // makes as many bytes as its argument says and writes them to stdout
	echo   = "echo"   // copies its stdin to stdout
)

// pipeful is what a pipe holds: nothing larger moves at once.
const pipeful = 64 << 10

// playFloor plays a part and exits; it returns if args name none.
func playFloor(args []string) {
	var err error
	switch args[0] {
	case noop:
	case sink:
		_, err = drain(os.Stdin)
	case source:
		err = pour(os.Stdout, args[1:])
	case echo:
		_, err = io.CopyBuffer(onlyWriter{os.Stdout}, onlyReader{os.Stdin}, make([]byte, pipeful))
	default:
		return
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// These hide the short cuts of files, such as splice: what a call moves has to pass through memory.
type (
	onlyReader struct{ io.Reader }
	onlyWriter struct{ io.Writer }
)

// drain reads r to its end and returns how much came.
func drain(r io.Reader) (total int, err error) {
	buf := make([]byte, pipeful)
	for {
		n, err := r.Read(buf)
		total += n
		switch err {
		case nil:
		case io.EOF:
			return total, nil
		default:
			return total, err
		}
	}
}

// pour makes its bytes as a function does that gives them as a result, so that a call and its floor differ by the
// delivery alone.
func pour(w io.Writer, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes the number of bytes", source)
	}
	n, err := strconv.Atoi(args[0])
	if err == nil {
		_, err = w.Write(stamped(n))
	}
	return err
}

// A floor is a process that does no more than it must: it starts, takes bytes on stdin, gives bytes on stdout, and ends.
type floor struct {
	argv []string
	give []byte
	want int
}

// floorVia is the floor behind a transport: what it starts differs from a worker by its arguments alone.
func floorVia(via transport.Transport, args ...string) (floor, error) {
	exe, err := os.Executable()
	if err != nil {
		return floor{}, err
	}
	argv, err := transport.Build(via, append([]string{exe}, args...))
	return floor{argv: argv}, err
}

// run starts the process as delivery starts a worker, with pipes, and returns when it has ended.
func (f floor) run() error {
	cmd := &exec.Cmd{Path: f.argv[0], Args: f.argv, Stderr: os.Stderr}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	sent := make(chan error, 1)
	if len(f.give) == 0 {
		sent <- stdin.Close()
	} else {
		go func() {
			_, err := stdin.Write(f.give)
			stdin.Close()
			sent <- err
		}()
	}
	got, err := drain(stdout)
	if wrote := <-sent; err == nil {
		err = wrote
	}
	if ended := cmd.Wait(); err == nil {
		err = ended
	}
	if err == nil && got != f.want {
		err = fmt.Errorf("%q gave %d bytes, not %d", f.argv, got, f.want)
	}
	return err
}
