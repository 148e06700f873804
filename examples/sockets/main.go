// Sockets restarts a server again and again while clients come, and no client is refused: a kernel holds the socket on
// which the servers listen, one after the other.
//
//	go run ./examples/sockets
//
// The kernel is started if none runs. The number of the next server is a value that the kernel keeps, too: start the
// example twice, and it goes on counting.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/kernel"
	_ "github.com/seed354a1416/deliveryboy/kernel/server" // so that this program can be a kernel
)

func main() {
	delivery.Main() // in the copy that is the kernel, this does not return
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("sockets", flag.ContinueOnError)
	flags.SetOutput(stderr)
	socket := flags.String("socket", "", "where the kernel listens; this user's own by default")
	serve := flags.Int("serve", 0, "be a server, on this descriptor")
	restarts := flags.Int("restarts", 5, "how often the server is restarted")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return 64
	}
	var err error
	if *serve > 0 {
		err = serveOn(*serve)
	} else {
		err = restart(ctx, *socket, *restarts, stdout)
	}
	if err != nil {
		fmt.Fprintln(stderr, "sockets:", err)
		return 1
	}
	return 0
}

// serveOn is the server: it says who it is to everyone who comes. It does not open the socket; it got it.
func serveOn(fd int) error {
	l, err := net.FileListener(os.NewFile(uintptr(fd), "socket"))
	if err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })()
	for {
		conn, err := l.Accept()
		if err != nil {
			if ctx.Err() != nil {
				return nil // whoever comes now waits for the next one
			}
			return err
		}
		fmt.Fprintf(conn, "served by process %d\n", os.Getpid())
		conn.Close()
	}
}

// restart starts servers one after the other, while a client comes and comes.
func restart(ctx context.Context, socket string, restarts int, stdout io.Writer) error {
	k, err := kernel.Open(ctx, kernel.Options{Socket: socket, Start: true})
	if err != nil {
		return err
	}
	defer func() { _ = k.Close() }()
	web, err := k.MakeSocket(ctx, "example.web", kernel.SocketSpec{Backlog: 100})
	if err != nil {
		return err
	}
	visits, end := visit(ctx, fmt.Sprintf("127.0.0.1:%d", web.Port))
	for range restarts {
		if err := oneServer(ctx, k, visits); err != nil {
			end()
			return err
		}
	}
	served, refused := end()
	fmt.Fprintf(stdout, "%d servers, %d visits, %d refused\n", restarts, served, refused)
	return k.RemoveSockets(ctx, "example.web")
}

// oneServer starts a server, waits until it has served somebody, and stops it.
func oneServer(ctx context.Context, k *kernel.Client, visits <-chan string) error {
	number, err := next(ctx, k)
	if err != nil {
		return err
	}
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	name := "example.server." + strconv.Itoa(number)
	p, err := k.MakeProcess(ctx, name, kernel.ProcessSpec{Args: []string{exe, "-serve", "$(socket.example.web.fileno)"}})
	if err != nil {
		return err
	}
	want := fmt.Sprintf("served by process %d\n", p.PID)
	for text := ""; text != want; {
		select {
		case text = <-visits:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if err := k.StopProcesses(ctx, 10*time.Second, name); err != nil {
		return err
	}
	return k.RemoveProcesses(ctx, name) // nobody wants its output
}

// next counts servers, over restarts of this program.
func next(ctx context.Context, k *kernel.Client) (int, error) {
	for {
		old, err := k.Get(ctx, "example.count")
		if err != nil {
			return 0, err
		}
		n, _ := strconv.Atoi(old) // nothing is 0
		done, err := k.CompareAndSet(ctx, "example.count", old, strconv.Itoa(n+1), kernel.Change{})
		if done || err != nil {
			return n + 1, err
		}
	}
}

// visit is a client that comes again and again until end is called, which says how it was served. What it reads can be
// received from visits.
func visit(ctx context.Context, address string) (visits <-chan string, end func() (served, refused int)) {
	ctx, cancel := context.WithCancel(ctx)
	texts := make(chan string)
	served, refused := 0, 0
	var work sync.WaitGroup
	work.Go(func() {
		for ctx.Err() == nil {
			text, err := ask(ctx, address)
			switch {
			case ctx.Err() != nil:
			case err != nil || !strings.HasPrefix(text, "served by"):
				refused++
			default:
				served++
				select {
				case texts <- text:
				case <-ctx.Done():
				}
			}
		}
	})
	return texts, func() (int, int) {
		cancel()
		work.Wait()
		return served, refused
	}
}

// ask connects, and reads what the server says.
func ask(ctx context.Context, address string) (string, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })()
	text, err := io.ReadAll(io.LimitReader(conn, 1000))
	return string(text), err
}
