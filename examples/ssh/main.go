// Ssh runs one function on another host: it adds up what is in a directory there, and shows each part as it is done.
//
//	go build -o /tmp/usage ./examples/ssh
//	scp /tmp/usage deploy@web1:/tmp/usage      # the far side runs this same program
//	/tmp/usage deploy@web1 /var
//	/tmp/usage ssh=deploy@web1//sudo /var      # a transport in spec form: as root over there
//
// What the function prints arrives while it runs; its result comes at the end, with its own type. Ctrl-C ends the
// function on the far side, not only the waiting for it.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"strings"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// Usage is what a directory takes.
type Usage struct {
	Files  int
	Bytes  int64
	Closed int // directories that could not be read
}

var usage = registry.Register("usage", addUp)

// addUp prints a line for each entry of the directory when it is done with it. It knows nothing of ssh.
func addUp(ctx context.Context, dir string) (Usage, error) {
	var total Usage
	entries, err := os.ReadDir(dir)
	if err != nil {
		return total, err
	}
	for _, entry := range entries {
		var part Usage
		if err := part.walk(ctx, filepath.Join(dir, entry.Name())); err != nil {
			return total, err
		}
		fmt.Printf("%12d  %6d files  %q\n", part.Bytes, part.Files, entry.Name())
		total.Files += part.Files
		total.Bytes += part.Bytes
		total.Closed += part.Closed
	}
	return total, nil
}

func (u *Usage) walk(ctx context.Context, root string) error {
	return filepath.WalkDir(root, func(_ string, entry fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			u.Closed++
			return nil
		case !entry.Type().IsRegular():
			return nil
		}
		if info, err := entry.Info(); err == nil { // else it is gone by now
			u.Files++
			u.Bytes += info.Size()
		}
		return nil
	})
}

func main() {
	delivery.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if len(args) != 2 {
		fmt.Fprintln(stderr, "usage: ssh [USER@]HOST[:PORT] DIRECTORY")
		fmt.Fprintln(stderr, "       ssh SPEC DIRECTORY, with SPEC as in ssh=deploy@web1//sudo//binary=/opt/usage")
		return 64
	}
	text := args[0]
	if !strings.Contains(text, "=") {
		text = "ssh=" + text
	}
	spec, err := transport.Parse(text)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	far := delivery.OnceFor(spec)
	far.Stdout, far.Stderr = stdout, stderr
	total, err := usage.On(far)(ctx, args[1])
	switch {
	case errors.Is(err, fs.ErrPermission), errors.Is(err, fs.ErrNotExist):
		fmt.Fprintln(stderr, "on the far side:", err) // the function's own error, with its type
		return 1
	case err != nil:
		fmt.Fprintf(stderr, "%+v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "%12d  %6d files  in all; %d directories could not be read\n", total.Bytes, total.Files, total.Closed)
	return 0
}
