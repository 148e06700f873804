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
	echo   = "echo"   // copies its stdin to stdout
	sink   = "sink"   // reads its stdin to the end
	source = "source" // writes as many bytes as its argument says to stdout
	hold   = "hold"   // reads as many bytes as its argument says into memory of their own
	yield  = "yield"  // makes as many bytes as its argument says, then writes them to stdout
)

var parts = map[string]func(n int) error{
	noop: func(int) error { return nil },
	echo: func(int) error {
		_, err := io.CopyBuffer(onlyWriter{os.Stdout}, onlyReader{os.Stdin}, make([]byte, pipeful))
		return err
	},
	sink:      func(int) error { _, err := drain(os.Stdin); return err },
	source:    func(n int) error { return pour(os.Stdout, n) },
	hold:      func(n int) error { _, err := io.ReadFull(os.Stdin, make([]byte, n)); return err },
	rpcServer: nil, // see serveRPC: its argument is a path
	unixEcho:  nil, // and serveUnixEcho
	yield:     func(n int) error { _, err := os.Stdout.Write(stamped(n)); return err },
}

// pipeful is what a pipe holds: nothing larger moves at once.
const pipeful = 64 << 10

// playFloor plays a part and exits; it returns if args name none.
func playFloor(args []string) {
	if len(args) == 0 {
		return
	}
	part, ok := parts[args[0]]
	if !ok {
		return
	}
	n, err := 0, error(nil)
	if args[0] == rpcServer && len(args) > 1 {
		part = func(int) error { return serveRPC(args[1]) }
	} else if args[0] == unixEcho && len(args) > 1 {
		part = func(int) error { return serveUnixEcho(args[1]) }
	} else if len(args) > 1 {
		n, err = strconv.Atoi(args[1])
	}
	if err == nil {
		err = part(n)
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

// pour writes n bytes, the same pipeful again and again.
func pour(w io.Writer, n int) error {
	buf := make([]byte, pipeful)
	for n > 0 {
		wrote, err := w.Write(buf[:min(n, len(buf))])
		if err != nil {
			return err
		}
		n -= wrote
	}
	return nil
}

// A floor is a process that does no more than it must: it starts, takes bytes on stdin, gives bytes on stdout, and ends.
type floor struct {
	argv []string
	give []byte
	from io.Reader // given after give; may be nil
	want int       // bytes that come
	keep bool      // into memory of their own
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
	if len(f.give) == 0 && f.from == nil {
		sent <- stdin.Close()
	} else {
		go func() {
			_, err := stdin.Write(f.give)
			if f.from != nil && err == nil {
				_, err = io.CopyBuffer(onlyWriter{stdin}, onlyReader{f.from}, make([]byte, pipeful))
			}
			stdin.Close()
			sent <- err
		}()
	}
	got, err := f.receive(stdout)
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

func (f floor) receive(r io.Reader) (int, error) {
	if !f.keep {
		return drain(r)
	}
	n, err := io.ReadFull(r, make([]byte, f.want))
	if err != nil {
		return n, err
	}
	rest, err := drain(r) // to the end: nothing more must come
	return n + rest, err
}
