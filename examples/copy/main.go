// Copy writes a file that belongs to root, from a stream of the caller's, and shows how far it is.
//
//	go run ./examples/copy /etc/issue.net < motd
//	go run ./examples/copy -via ssh=web1//sudo /srv/image < image
//
// The function takes an io.Reader and a callback. Neither the file nor the stream is ever held in memory as a whole, and
// the function reads no faster than it writes.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

var install = registry.Register("install", installFile)

// step is how many bytes lie between two calls of progress.
const step = 1 << 20

// installFile puts what it reads into a file of this name, all of it or nothing: it is written beside it and renamed.
// progress is called with the bytes written so far; its error ends the copy.
func installFile(ctx context.Context, name string, mode fs.FileMode, from io.Reader, progress func(written int64) error) (written int64, err error) {
	f, err := os.CreateTemp(filepath.Dir(name), ".copy-*")
	if err != nil {
		return 0, err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	for ctx.Err() == nil {
		n, err := io.CopyN(f, from, step)
		written += n
		if err != nil && err != io.EOF {
			return written, err
		}
		if err := progress(written); err != nil {
			return written, err
		}
		if err == io.EOF {
			return written, finish(f, name, mode)
		}
	}
	return written, ctx.Err()
}

// finish gives the file its mode and its name, when it is safe on the disk.
func finish(f *os.File, name string, mode fs.FileMode) error {
	if err := f.Chmod(mode); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

func main() {
	delivery.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("copy", flag.ContinueOnError)
	flags.SetOutput(stderr)
	via := flags.String("via", "sudo", "where the file is to be: a transport in `spec` form")
	mode := flags.Uint("mode", 0o644, "the file's mode")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	if flags.NArg() != 1 || !filepath.IsAbs(flags.Arg(0)) {
		fmt.Fprintln(stderr, "usage: copy [-via SPEC] [-mode MODE] /ABSOLUTE/FILE < what")
		return 64
	}
	spec, err := transport.Parse(*via)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	progress := func(written int64) error {
		_, err := fmt.Fprintf(stdout, "%d bytes\n", written)
		return err
	}
	written, err := install.On(delivery.OnceFor(spec))(ctx, flags.Arg(0), fs.FileMode(*mode), stdin, progress)
	if err != nil {
		fmt.Fprintf(stderr, "copy: after %d bytes: %v\n", written, err)
		return 1
	}
	fmt.Fprintf(stdout, "%s has %d bytes\n", flags.Arg(0), written)
	return 0
}
