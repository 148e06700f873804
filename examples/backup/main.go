// Backup starts a backup as root that runs on when it has ended, and comes for the report later: a job.
//
//	go build -o /tmp/backup ./examples/backup
//	/tmp/backup start /srv /var/backups/srv.tar.gz     # prints the job's identifier, and ends
//	/tmp/backup list
//	/tmp/backup collect 01kvmzt2b6p1m3x7q9s4e8c5dh     # follows it, prints the report, and takes the job away
//
// With -via ssh=web1//sudo before the command, all that happens on another host, which has this program at the same place.
//
// The backup goes on when this program ends, when its terminal closes, and when the way to the host breaks; what it printed
// and what came of it wait there. Ctrl-C in collect ends collect, not the backup.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var backup = registry.Register("backup", writeArchive)

func init() { box.RegisterSentinel("backup.errInside", errInside) }

const usage = "usage: backup [-via SPEC] start DIR FILE | list | collect ID"

func main() {
	delivery.Main()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("backup", flag.ContinueOnError)
	flags.SetOutput(stderr)
	text := flags.String("via", "sudo", "where the backup runs: a transport in `spec` form")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	spec, err := transport.Parse(*text)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	switch command := flags.Arg(0); {
	case command == "start" && flags.NArg() == 3:
		err = start(ctx, spec, Order{flags.Arg(1), flags.Arg(2)}, stdout)
	case command == "list" && flags.NArg() == 1:
		err = list(ctx, spec, stdout)
	case command == "collect" && flags.NArg() == 2:
		err = collect(ctx, spec, flags.Arg(1), stdout, stderr)
	default:
		fmt.Fprintln(stderr, usage)
		return 64
	}
	if err != nil {
		fmt.Fprintln(stderr, "backup:", err)
		return 1
	}
	return 0
}

// start orders a backup. When it returns, the backup is sure to run.
func start(ctx context.Context, spec transport.Spec, o Order, stdout io.Writer) error {
	if !filepath.IsAbs(o.Dir) || !filepath.IsAbs(o.File) {
		return errors.New("absolute paths are needed: they are looked up over there")
	}
	j, err := job.Start(ctx, delivery.OnceFor(spec), backup, o, job.Options{Name: "backup of " + o.Dir, Keep: 30 * 24 * time.Hour})
	if err != nil {
		return err
	}
	fmt.Fprintln(stdout, j.ID)
	return nil
}

// list shows the backups that nobody has collected.
func list(ctx context.Context, spec transport.Spec, stdout io.Writer) error {
	jobs, err := job.List(ctx, delivery.OnceFor(spec))
	if err != nil {
		return err
	}
	for _, i := range jobs {
		if i.Func == backup.Name() {
			fmt.Fprintf(stdout, "%s  %s  %s %s  %q %s\n", i.ID, i.Submitted.Format(time.DateTime), i.Phase, i.Outcome, i.Name, i.Error)
		}
	}
	return nil
}

// collect follows a backup to its end, shows what came of it, and says that this is known now. It may be another program,
// on another machine, than the one that started the backup; and it may be started again when it did not come to its end.
func collect(ctx context.Context, spec transport.Spec, id string, stdout, stderr io.Writer) error {
	options := delivery.SessionFor(spec)
	options.Stdout, options.Stderr = stderr, stderr
	there, err := session.Open(ctx, options) // one sudo, one ssh handshake
	if err != nil {
		return err
	}
	defer there.Close() //nolint:errcheck // what it was for is done
	j, err := job.Attach[Report](ctx, there, id)
	if err != nil {
		return err
	}
	if err := follow(ctx, j, stdout, stderr); err != nil {
		return err
	}
	report, err := j.Wait(ctx)
	var path *fs.PathError
	switch {
	case err == nil:
		fmt.Fprintf(stdout, "%d files with %d bytes, in %s\narchive: %d bytes, sha256 %s\n",
			report.Files, report.Bytes, report.Took.Round(time.Millisecond), report.Size, report.SHA256)
	case errors.Is(err, errInside): // the program's own error
		err = fmt.Errorf("nothing was written: %w; give a FILE elsewhere", err)
	case errors.As(err, &path): // one of the standard library
		err = fmt.Errorf("nothing was written, because of %s: %w", path.Path, err)
	default: // it panicked, was cancelled or is lost, or the way there broke: somebody should look at it
		return err
	}
	if failed := j.Acknowledge(ctx); err == nil {
		err = failed
	}
	return err
}

// follow passes on what the backup has printed and prints, until it has ended.
func follow(ctx context.Context, j *job.Job[Report], stdout, stderr io.Writer) error {
	for p, err := range j.Output(ctx, job.Offset{}, true) {
		if err != nil {
			return err
		}
		to := stderr
		switch p.Stream {
		case job.Stdout:
			to = stdout
		case job.Gap:
			p.Data = fmt.Appendf(nil, "[%d bytes were not kept]\n", p.Dropped)
		}
		if _, err := to.Write(p.Data); err != nil {
			return err
		}
	}
	return nil
}
