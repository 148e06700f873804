package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// kernelValueRows are values of a kernel over one connection, against bytes that go there and back over a unix socket.
func kernelValueRows() []row {
	return []row{
		kernelValueRow("set", func(ctx context.Context, c *kernel.Client, data string) error {
			return c.Set(ctx, "bench", data)
		}),
		kernelValueRow("get", func(ctx context.Context, c *kernel.Client, data string) error {
			got, err := c.Get(ctx, "bench")
			if err == nil && got != data {
				err = fmt.Errorf("the value is %.80q", got)
			}
			return err
		}),
	}
}

func kernelValueRow(name string, one func(context.Context, *kernel.Client, string) error) row {
	return row{id: "R13", name: "kernel: " + name + " 128 B", unit: microseconds, rounds: 60, set: func(*stage.Stage) (*race, error) {
		return kernelValue(one)
	}}
}

func kernelValue(one func(context.Context, *kernel.Client, string) error) (*race, error) {
	ctx := context.Background()
	options, done, err := ownKernel(ctx)
	if err != nil {
		return nil, err
	}
	var close closers
	close.add(done)
	c, err := kernel.Open(ctx, options)
	if err != nil {
		close.run()
		return nil, err
	}
	close.add(func() { _ = c.Close() })
	data := string(printable(128))
	if err := c.Set(ctx, "bench", data); err != nil {
		close.run()
		return nil, err
	}
	raw, err := startUnixEcho()
	if err != nil {
		close.run()
		return nil, err
	}
	close.add(raw.close)
	bytes := []byte(data)
	how := manner{calls: warmCalls}
	return &race{
		ours:   how.of(func() error { return one(ctx, c, data) }),
		rivals: []rival{{name: "unix socket, there and back", goal: goal{AtMost: 2}, run: how.of(func() error { return raw.call(bytes) })}},
		done:   close.run,
	}, nil
}

// printable is a text that needs no quotes.
func printable(n int) []byte {
	text := make([]byte, n)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	return text
}

// unixEcho is a part that serves one connection of a unix socket, and gives back what comes.
const unixEcho = "unixecho"

func serveUnixEcho(path string) error {
	l, err := net.Listen("unix", path)
	if err != nil {
		return err
	}
	fmt.Println("ready")
	conn, err := l.Accept()
	if err != nil {
		return err
	}
	_, err = io.CopyBuffer(onlyWriter{conn}, onlyReader{conn}, make([]byte, pipeful))
	return err
}

// startUnixEcho starts that part and connects.
func startUnixEcho() (*pingPong, error) {
	exe, err := os.Executable()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-unix")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	p := &pingPong{cmd: exec.Command(exe, unixEcho, path)} //nolint:noctx // close ends it
	p.cmd.Stderr = os.Stderr
	said, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	conn, err := connect(said, path)
	if err != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		return nil, err
	}
	p.in, p.out = conn, conn
	return p, nil
}

func connect(said io.Reader, path string) (net.Conn, error) {
	if _, err := io.ReadFull(said, make([]byte, len("ready\n"))); err != nil {
		return nil, err
	}
	return net.Dial("unix", path)
}
