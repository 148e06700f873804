package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/transport"
)

// maxClock is how far two clocks may be apart: boxes and tickets of several systems live for five minutes.
const maxClock = 5 * time.Minute

// visit starts a worker at a place, and has it look around there and at the next hop.
func (e *examination) visit(ctx context.Context, place int) error {
	w := &watcher{courier: e.courier(place)}
	before := time.Now()
	r, err := look.On(w)(ctx, e.question(place))
	if refused(err) && e.answers.forget() {
		before = time.Now()
		r, err = look.On(w)(ctx, e.question(place))
	}
	if errors.Is(err, context.Canceled) {
		return err // that is no finding
	}
	if err != nil {
		return e.failed(place, err)
	}
	hop := e.hopBefore(place)
	e.add(hop, heard(r.Here)...)
	e.add(hop, clock(before, r.Now, time.Now())...)
	if printed := string(w.excess.Prefix) + string(w.excess.Suffix); strings.TrimSpace(printed) != "" && !e.noisy {
		e.noisy = true
		e.add(hop, Finding{Check: checkOutput, Severity: Warning,
			What: fmt.Sprintf("something prints before or after the worker: %.80q", printed),
			Fix:  "Let login scripts print on terminals only, since each byte of it travels with each call."})
	}
	if place < len(e.hops) {
		e.add(e.hops[place].String(), heard(r.Next)...)
	}
	return nil
}

// courier leads to a place; the settings of the spec are for the last one.
func (e *examination) courier(place int) delivery.Once {
	at := delivery.Once{Via: transport.Chain(e.hops[:place]), Program: e.spec.Binary}
	if place == len(e.hops) {
		at = delivery.OnceFor(e.spec)
	}
	at.Ask, at.Deploy = e.answers.provider(), e.options.Deploy
	at.Stdout, at.Stderr, at.MaxReply = io.Discard, io.Discard, maxReport
	return at
}

// refused reports whether a hop did not take its password.
func refused(err error) bool {
	t := (*box.TransportError)(nil)
	return errors.As(err, &t) && strings.HasPrefix(t.Reason, transport.ReasonWrong)
}

// clock compares the clock there with that here, read before and after.
func clock(before, there, after time.Time) []Finding {
	off := time.Duration(0)
	switch {
	case there.Before(before):
		off = there.Sub(before)
	case there.After(after):
		off = there.Sub(after)
	}
	if off.Abs() <= maxClock {
		return nil
	}
	return []Finding{{Check: checkClock, Severity: Warning,
		What: fmt.Sprintf("the clock there differs from the one here by %s", off.Round(time.Second)),
		Fix:  "Synchronise both clocks, with chrony or systemd-timesyncd for instance."}}
}

// A watcher keeps what came around the reply.
type watcher struct {
	courier box.Courier
	excess  box.Excess
}

// Deliver passes the box on.
func (w *watcher) Deliver(ctx context.Context, b *box.Box) (*box.Reply, error) {
	r, err := w.courier.Deliver(ctx, b)
	if err == nil {
		w.excess = r.Excess
	}
	return r, err
}

// fromError makes a finding of what kept a worker from answering. It is passable if the hop itself works.
func fromError(err error) (f Finding, passable bool) {
	f = Finding{Check: checkWorker, Severity: Error, What: oneLine(err.Error()),
		Fix: "Look whether a ForceCommand, a login script or a restricted shell stands between the transport and the program."}
	if errors.Is(err, context.DeadlineExceeded) {
		f.Check, f.What = checkReachable, "no worker answered in the time that there was"
		f.Fix = "Give it longer, or look what the hop waits for."
		return f, false
	}
	if skew := (*box.VersionSkewError)(nil); errors.As(err, &skew) {
		f.Check, f.What = checkBuild, "the program there is another build: "+oneLine(skew.Error())
		f.Fix = "Copy this very file there, or let --deploy bring it."
		return f, true
	}
	if d := (*deploy.Error)(nil); errors.As(err, &d) {
		f.Check, f.What = checkProgram, "the program could not be brought there: "+strings.TrimPrefix(d.Error(), "deploy: ") // with others' words quoted
		f.Fix = "Make a bundle with a program for that system, with deliveryboy pack, and give it with --bundle."
		if len(d.Tried) > 0 {
			f.Fix = "Make room in one of these directories, or correct what is said of it; calls can name another with Deploy.Cache."
		}
		return f, true
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
	for _, r := range reasons {
		advice, is := strings.CutPrefix(t.Reason, r.reason)
		if !is {
			continue
		}
		f.Check, f.What = r.check, r.reason
		if said := lastLine(t.Stderr); said != "" {
			f.What += ": " + said
		}
		if advice = strings.Trim(advice, " :;,()"); advice != "" {
			f.Fix = sentence(advice)
		}
		return f, r.check == checkProgram
	}
	return f, false
}

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
