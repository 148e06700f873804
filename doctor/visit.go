package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

// maxClock is how far two clocks may be apart: boxes and tickets of several systems live for five minutes.
const maxClock = 5 * time.Minute

// visit starts a worker at a place, and has it look around there and at the next hop.
func (e *examination) visit(ctx context.Context, place int) error {
	w := &watcher{courier: e.courier(place)}
	before := time.Now()
	r, err := look.On(w)(ctx, e.question(place))
	if refused(err) && e.memory != nil && e.memory.Forget() {
		before = time.Now()
		r, err = look.On(w)(ctx, e.question(place))
	}
	if errors.Is(err, context.Canceled) {
		return err // that is no finding
	}
	if err != nil {
		return e.failed(place, err)
	}
	e.passed(place)
	hop := e.hopBefore(place)
	e.add(hop, heard(r.Here)...)
	e.add(hop, clock(before, r.Now, time.Now())...)
	if printed := string(w.excess.Prefix) + string(w.excess.Suffix); strings.TrimSpace(printed) != "" && !e.noisy {
		e.noisy = true
		e.add(hop, Finding{Check: checkOutput, Severity: Note,
			What: fmt.Sprintf("something prints before or after the worker: %.80q", printed),
			Fix:  "Let login scripts print on terminals only, since each byte of it travels with each call."})
	}
	if place < len(e.hops) {
		e.add(e.hops[place].String(), heard(r.Next)...)
	}
	return nil
}

// passed drops what was said about hops before a worker could be started behind them, and was not so: sudo may tell its rules
// only for a password that running the program does not need, and ssh may know a host's key, or log in, in ways of its own.
func (e *examination) passed(place int) {
	for _, hop := range e.hops[:place] {
		name, untold := hop.String(), false
		e.findings = slices.DeleteFunc(e.findings, func(f Finding) bool {
			refuted := f.Severity == Error && (f.Check == checkAuth || f.Check == checkHostKey) || f.Severity == Warning && f.Check == checkKey && strings.HasPrefix(f.What, whatNoKey)
			untold = untold || refuted && f.Hop == name && f.Check == checkAuth
			return refuted && f.Hop == name
		})
		if untold {
			e.add(name, Finding{Check: checkSudoers, Severity: Note, What: notChecked + "settings and tags of sudoers: sudo runs the program, but does not tell this user its rules",
				Fix: "Look with sudo -l at a terminal; listpw in sudoers says when that needs a password."})
		}
	}
}

// courier leads to a place; the settings of the spec are for the last one.
func (e *examination) courier(place int) delivery.Once {
	at := delivery.Once{Via: transport.Chain(e.hops[:place]), Program: e.spec.Binary}
	if place == len(e.hops) {
		at = delivery.OnceFor(e.spec)
	}
	if at.Deploy = e.options.Deploy; e.memory != nil {
		at.Ask = e.memory.Ask
	}
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
