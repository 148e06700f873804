// Openfile opens a file as root, and reads it as the ordinary user who started it: what sudo's copy of this program
// hands over is not the content but the open file itself, a descriptor.
//
//	go run ./examples/openfile /etc/shadow
//
// The root process has ended before the first byte is read. A descriptor passes between processes of one machine only;
// over ssh the call is refused, with advice.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// os.Open, as another user; it is still a func(string) (*os.File, error).
var open = registry.RegisterSymbol(os.Open)

func main() {
	delivery.Main()
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("openfile", flag.ContinueOnError)
	flags.SetOutput(stderr)
	via := flags.String("via", "sudo", "who opens the file: a transport in `spec` form")
	if err := flags.Parse(args); err != nil {
		return 64
	}
	if flags.NArg() != 1 {
		fmt.Fprintln(stderr, "usage: openfile [-via SPEC] FILE")
		return 64
	}
	spec, err := transport.Parse(*via)
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 64
	}
	name := flags.Arg(0)
	_, err = os.Open(name)
	fmt.Fprintf(stdout, "as uid %d: %v\n", os.Getuid(), outcome(err))
	f, err := open.On(delivery.OnceFor(spec))(name)
	fmt.Fprintf(stdout, "via %s: %v\n", spec, outcome(err))
	if err != nil {
		return 1
	}
	defer f.Close()
	lines := 0
	in := bufio.NewScanner(f)
	for in.Scan() {
		lines++
	}
	if err := in.Err(); err != nil {
		fmt.Fprintln(stderr, "openfile:", err)
		return 1
	}
	fmt.Fprintf(stdout, "%s has %d lines, read by uid %d\n", name, lines, os.Getuid())
	return 0
}

func outcome(err error) any {
	if err == nil {
		return "open"
	}
	return err
}
