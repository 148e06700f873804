package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/transport"
)

// fromError makes a finding of what kept a worker from answering. It is passable if the hop itself works.
func fromError(err error) (f Finding, passable bool) {
	f = Finding{Check: checkWorker, Severity: Error, What: oneLine(err.Error()), Fix: fixStranger}
	if errors.Is(err, context.DeadlineExceeded) {
		f.Check, f.What = checkReachable, "no worker answered in the time that there was"
		f.Fix = "Give it longer, or look what the hop waits for."
		return f, false
	}
	if skew := (*box.VersionSkewError)(nil); errors.As(err, &skew) {
		f.Check, f.What = checkBuild, "the program there is another build: "+oneLine(skew.Error())
		f.Fix = "Copy this very file there, or let --deploy bring it."
		if strings.HasPrefix(skew.Remote, "settings:") {
			f.What, f.Fix = "the program there cannot tell which build it is: it finds no /proc, and was not started by a whole path", "Mount /proc there; or install the program, and name it with binary=."
		}
		return f, true
	}
	if d := (*deploy.Error)(nil); errors.As(err, &d) {
		f.Check, f.What = checkProgram, "the program could not be brought there: "+strings.TrimPrefix(d.Error(), "deploy: ") // with others' words quoted
		f.Fix = "Make a bundle with a program for that system, with deliveryboy pack, and give it with --bundle."
		switch {
		case strings.Contains(d.Why, "CGO_ENABLED=0"):
			f.Fix = fixStatic
		case len(d.Tried) > 0:
			f.Fix = "Make room in one of these directories, or correct what is said of it; calls can name another with Deploy.Cache."
		}
		return f, true
	}
	if r := (*box.RemoteError)(nil); errors.As(err, &r) && (r.Kind == box.Killed || r.Kind == box.OutOfMemory) {
		f.Fix = fixKilled
		return f, false
	}
	t := (*box.TransportError)(nil)
	if !errors.As(err, &t) {
		return f, false
	}
	if errors.Is(t.Err, transport.ErrUnsafe) || errors.Is(t.Err, transport.ErrNotFound) {
		f.Check, f.What = checkConfig, oneLine(t.Err.Error())
		f.Fix = "Install the transport's program from a package, so that it is root's alone."
		return f, false
	}
	f.What = ending(t)
	for _, r := range reasons {
		advice, is := strings.CutPrefix(t.Reason, r.reason)
		if !is {
			continue
		}
		f.Check, f.What = r.check, r.reason
		if said := lastLines(t.Stderr); said != "" {
			f.What += ": " + said
		}
		if advice = strings.Trim(advice, " :;,()"); advice != "" {
			f.Fix = sentence(advice)
		}
		return f, r.check == checkProgram
	}
	for _, d := range deaths {
		if line, is := telling(t, d.text); is {
			f.Check, f.What, f.Fix = d.check, d.what+": "+line, d.fix
			return f, d.check == checkProgram
		}
	}
	return f, false
}

// telling is the line of what the program said in which a text stands, or the reason that is this text.
func telling(t *box.TransportError, text string) (line string, is bool) {
	if strings.HasPrefix(t.Reason, text) {
		return ending(t), true
	}
	for line := range strings.Lines(t.Stderr) {
		if strings.Contains(line, text) {
			return oneLine(line), true
		}
	}
	return "", false
}

// ending is how a transport ended before a worker answered.
func ending(t *box.TransportError) string {
	parts := []string{"no worker answered"}
	if t.Err != nil {
		parts[0] = t.Err.Error()
	}
	switch {
	case t.Signal != "":
		parts = append(parts, "it was ended by "+t.Signal)
	case t.ExitCode >= 0:
		parts = append(parts, fmt.Sprintf("exit status %d", t.ExitCode))
	}
	if said := lastLines(t.Stderr); said != "" {
		parts = append(parts, "it said: "+said)
	}
	return oneLine(strings.Join(parts, "; "))
}

// fixStranger is the advice where something else than the program seems to answer.
const fixStranger = "Look whether a ForceCommand, a login script or a restricted shell stands between the transport and the program."

// deaths are the ends of a program that cannot start, by what it or its loader says.
var deaths = []struct{ text, check, what, fix string }{
	{transport.ReasonSignal, checkWorker, "the worker was killed as it began", fixKilled},
	{"failed to create new OS thread", checkLimits, whatThreads, fixThreads},
	{"pthread_create failed", checkLimits, whatThreads, fixThreads},
	{"Cannot fork", checkLimits, whatThreads, fixThreads},
	{"fork: retry: ", checkLimits, whatThreads, fixThreads},
	{"cannot reserve arena virtual address space", checkLimits, whatMemory, fixMemory},
	{"failed to reserve page summary memory", checkLimits, whatMemory, fixMemory},
	{"cannot allocate memory", checkLimits, whatMemory, fixMemory},
	{"Cannot allocate memory", checkLimits, whatMemory, fixMemory},
	{"out of memory", checkLimits, whatMemory, fixMemory},
	{"failed to map segment from shared object", checkLimits, whatMemory, fixMemory},
	{"cannot open shared object file: Error 24", checkLimits, "the worker may not open files", fixFiles},
	{"oo many open files", checkLimits, "the worker may not open files", fixFiles},
	{"version `GLIBC_", checkProgram, "the program needs a newer C library than there is", fixStatic},
	{"error while loading shared libraries", checkProgram, "the program needs libraries that are not there", fixStatic},
	{"no preamble came within", checkWorker, "something before the program reads what is sent to it",
		"Look for a command that reads stdin, such as read, cat or ssh, in what the login shell runs (.bashrc, .profile, .cshrc) or in a ForceCommand; let it do so on terminals only, or give it </dev/null."},
}

const (
	fixKilled = "Look at the memory that it may have (memory.max of its control group, the limit of a container), at the limits of address space (ulimit -v) and CPU time (ulimit -t), " +
		"and into the kernel's log, which names an out-of-memory kill."
	whatThreads = "the worker gets no threads"
	fixThreads  = "Raise the limit of processes of that user (nproc, in limits.conf(5) or by prlimit), or pids.max of its control group."
	whatMemory  = "the worker gets no memory"
	fixMemory   = "Raise the limit of address space (as, in limits.conf(5) or by prlimit; Go programs reserve more than they use), or memory.max of its control group."
	fixFiles    = "Raise the limit of open files (nofile, in limits.conf(5) or by prlimit) to 256 at least."
	fixStatic   = "Build the program with CGO_ENABLED=0, so that it needs no libraries."
)

// reasons are those of the transports, and which check they belong to.
var reasons = []struct{ reason, check string }{
	{transport.ReasonPassword, checkAuth}, {transport.ReasonWrong, checkAuth}, {transport.ReasonNotAllowed, checkAuth}, {transport.ReasonNoTerminal, checkAuth},
	{transport.ReasonUnknownUser, checkAuth}, {transport.ReasonNoLogin, checkAuth},
	{transport.ReasonAuth, checkKey}, {transport.ReasonHostKey, checkHostKey}, {transport.ReasonHostChanged, checkHostKey},
	{transport.ReasonRefused, checkReachable}, {transport.ReasonUnreachable, checkReachable},
	{transport.ReasonTimeout, checkReachable}, {transport.ReasonClosed, checkReachable},
	{transport.ReasonUnknownHost, checkReachable},
	{transport.ReasonNotFound, checkProgram}, {transport.ReasonNotRunnable, checkProgram},
	{transport.ReasonNoPrivilege, checkPrivilege},
	{transport.ReasonMisset, checkConfig}, {transport.ReasonConfig, checkConfig}, {transport.ReasonDirectory, checkConfig},
}
