// Hostaudit lets an ordinary user audit this machine, with functions that are delivered to where they can see enough.
//
// It is the main example of deliveryboy. Six plain functions (shadow.go, sudoers.go, setuid.go, hostkeys.go,
// sshdconfig.go, listeners.go) know nothing of where they run; audits.go registers them; targets.go says where: in this
// process, in a fresh copy of it, in a user namespace, as root through sudo, over ssh, and as root over ssh. The report
// shows what each place could see, and what each call cost.
//
//	go run ./examples/hostaudit
//	go run ./examples/hostaudit -target sudo -json
//
// As root it installs sudo and the ssh server where they are missing (Debian), makes a user with a sudo rule and an ssh
// server of its own, all in a private mount namespace, and goes on as that user. The /etc there is a copy, in which these
// sudo rules stand instead of the machine's. Nothing else on the machine changes; the last line shows it. As an ordinary
// user it runs where it can, and says why it left the rest out.
//
// The exit status is 0 unless a target that should have worked did not; 64 for a command line it does not understand.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"syscall"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

func main() {
	delivery.Main() // in a delivered copy this serves the call, and does not return
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

const exitUsage = 64

func run(args []string, stdout, stderr io.Writer) int {
	options, err := parseOptions(args, stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := installMissing(ctx, stderr); err != nil {
		fmt.Fprintln(stderr, "hostaudit:", err) // what cannot run without it is left out
	}
	here := stage.Enter(stage.Options{After: func(r stage.Report) { tellEtc(stderr, r) }})
	visits := visitAll(ctx, targetsHere(here), options.target)
	if options.json {
		err = writeJSON(stdout, visits)
	} else {
		fmt.Fprint(stdout, whereAmI(here))
		err = writeText(stdout, visits)
	}
	if err != nil {
		fmt.Fprintln(stderr, "hostaudit: write the report:", err)
		return 1
	}
	for _, v := range visits {
		if v.Failed {
			return 1
		}
	}
	return 0
}

type options struct {
	json   bool
	target string
}

func parseOptions(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("hostaudit", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.BoolVar(&o.json, "json", false, "write the whole reports as JSON")
	flags.StringVar(&o.target, "target", "", "visit only the target with this `name`: "+targetNames())
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(stderr, "hostaudit: argument %s: none is expected; see -help\n", plain(flags.Arg(0)))
		return o, errUsage
	}
	if o.target != "" && !isTarget(o.target) {
		fmt.Fprintf(stderr, "hostaudit: target %q: there is none of this name; take one of %s\n", plain(o.target), targetNames())
		return o, errUsage
	}
	return o, nil
}

var errUsage = errors.New("usage")

// installMissing gives root the programs that the targets need.
func installMissing(ctx context.Context, log io.Writer) error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, program := range []string{"sudo", "ssh", "/usr/sbin/sshd"} {
		if _, err := exec.LookPath(program); err != nil {
			return stage.Install(ctx, log)
		}
	}
	return nil
}

// whereAmI is a line about the stage, for people; empty outside of one.
func whereAmI(here *stage.Stage) string {
	if !here.Inside {
		return ""
	}
	return fmt.Sprintf("Run by %s in a private mount namespace. /etc there is a copy of the machine's, with this user added,\n"+
		"and with sudo rules of its own instead of the machine's.\n\n", here.User)
}

// tellEtc says, when all is over, that the machine's own configuration is what it was.
func tellEtc(w io.Writer, r stage.Report) {
	verdict := "unchanged"
	if !r.EtcSame {
		verdict = "CHANGED meanwhile"
	}
	fmt.Fprintf(w, "/etc of the machine: %.16s before, %.16s after: %s\n", r.EtcBefore, r.EtcAfter, verdict)
}

func writeJSON(w io.Writer, visits []*visit) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(map[string]any{"targets": visits})
}
