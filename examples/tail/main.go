// Tail follows a file that only root may read, as tail -F does: the far function sends lines into a Go channel, and the
// caller takes them out.
//
//	go run ./examples/tail /var/log/auth.log
//	go run ./examples/tail -via ssh=web1//sudo /var/log/auth.log
//
// Ctrl-C ends the function on the far side. A caller that does not take lines holds the function back, and nothing piles
// up anywhere.
package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

var follow = registry.Register("follow", followFile)

// look is how often the file is looked at for more.
const look = 100 * time.Millisecond

// followFile sends the lines that are added to a file. When another file takes its place, as log rotation does, it goes
// on with that one. It knows nothing of sudo, and ends when its context does.
func followFile(ctx context.Context, name string, fromStart bool, lines chan<- string) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { f.Close() }()
	if !fromStart {
		if _, err := f.Seek(0, io.SeekEnd); err != nil {
			return err
		}
	}
	in, partial := bufio.NewReader(f), ""
	for {
		text, err := in.ReadString('\n')
		partial += text
		switch {
		case err == nil:
			select {
			case lines <- strings.TrimSuffix(partial, "\n"):
				partial = ""
			case <-ctx.Done():
				return ctx.Err()
			}
			continue
		case !errors.Is(err, io.EOF):
			return err
		}
		select {
		case <-time.After(look):
		case <-ctx.Done():
			return ctx.Err()
		}
		if other := replaced(f, name); other != nil {
			f.Close()
			f, partial = other, ""
			in.Reset(f)
		}
	}
}

// replaced returns the file that has the name now, if it is another one or was cut, and nil otherwise.
func replaced(f *os.File, name string) *os.File {
	there, err := os.Stat(name)
	if err != nil {
		return nil // between two files
	}
	here, err := f.Stat()
	if err != nil {
		return nil
	}
	at, err := f.Seek(0, io.SeekCurrent)
	if err != nil || os.SameFile(here, there) && there.Size() >= at {
		return nil
	}
	other, err := os.Open(name)
	if err != nil {
		return nil
	}
	return other
}

func main() {
	delivery.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("tail", flag.ContinueOnError)
	flags.SetOutput(stderr)
	via := flags.String("via", "sudo", "where the file is: a transport in `spec` form")
	whole := flags.Bool("whole", false, "begin at the start of the file, not at its end")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	if flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: tail [-via SPEC] [-whole] FILE")
		return 64
	}
	spec, err := transport.Parse(*via)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	lines, failed := make(chan string), make(chan error, 1)
	go func() {
		failed <- follow.On(delivery.OnceFor(spec))(ctx, flags.Arg(0), *whole, lines)
	}()
	for {
		select {
		case line := <-lines:
			fmt.Fprintln(stdout, line)
		case err := <-failed:
			if ctx.Err() != nil {
				return 0 // Ctrl-C
			}
			fmt.Fprintln(stderr, "tail:", err)
			return 1
		}
	}
}
