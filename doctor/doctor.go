// Package doctor says what is wrong with the way to a worker, and what to do about it: with each hop of a spec, and with
// the place that it leads to.
//
//	findings, err := doctor.Examine(ctx, spec)
//	for _, f := range findings {
//		fmt.Println(f.Hop, f.Severity, f.What, f.Fix)
//	}
//
// It goes hop by hop. What can be told without a worker behind a hop is told first, so that there are findings also where
// the way ends: the rule in sudoers, keys and known hosts of ssh, the program's file. Then it starts a worker behind the
// hop, which looks around: limits, mounts, free space, the kernel's settings, who could replace the program. It asks for
// no password and changes nothing, unless [Options] say that it may ask, and may bring the program.
//
// # Limits
//
// Most of it is about Linux. The worker is narrowed to the one function deliveryboy.doctor.look: a rule in sudoers that
// names other functions does not allow it, which is said. What sudo, doas and ssh say is understood where it is English. What
// could not be looked at is a note that begins with "not checked".
package doctor

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A Severity says how bad a finding is.
type Severity string

// The severities.
const (
	Note    Severity = "note"    // worth knowing; many machines are so on purpose
	Warning Severity = "warning" // calls work, but not all, not always, or not as safely as they could
	Error   Severity = "error"   // calls fail, or somebody could take the target over
)

// A Finding is one thing that is wrong.
type Finding struct {
	Hop      string   `json:"hop"`      // in spec form; "self" where there is none
	Check    string   `json:"check"`    // what was looked at, such as "auth", "program" or "limits"
	Severity Severity `json:"severity"` //
	What     string   `json:"what"`     // what is wrong
	Fix      string   `json:"fix"`      // what to do, in one sentence
}

// The names of checks. A check fails once for a reason: what the hop itself says then is not said again.
const (
	checkAuth      = "auth"
	checkKey       = "key"
	checkHostKey   = "host key"
	checkReachable = "reachable"
	checkProgram   = "program"
	checkBuild     = "build"
	checkConfig    = "configuration"
	checkPrivilege = "privilege"
	checkWorker    = "worker"
	checkOutput    = "output"
	checkClock     = "clock"
	checkLimits    = "limits"
	checkSpace     = "space"
	checkKernel    = "kernel"
	checkProcesses = "processes"
	checkJobs      = "jobs"
	checkSudoers   = "sudoers"
	checkMount     = "mount"
	checkPath      = "path"
)

// notChecked begins what is told of things that could not be looked at.
const notChecked = "not checked: "

// Examine looks at each hop of a spec, outermost first, and at the place behind the last one. The findings are in the order
// of the hops.
//
// The error is nil when a worker could be started behind all hops. Otherwise it is that of the first hop behind which there
// is none, and the findings are about the way up to there. There may be options.
func Examine(ctx context.Context, spec transport.Spec, options ...Options) ([]Finding, error) {
	e := examination{spec: spec, hops: transport.Hops(spec.Via), program: spec.Binary, askable: transport.Askable(spec.Via)}
	if len(options) > 0 {
		e.options = options[0]
	}
	if err := e.options.check(spec); err != nil {
		return nil, err
	}
	if e.memory = e.options.memory(e.hops); e.memory != nil && e.options.Memory == nil {
		defer e.memory.Forget()
	}
	if e.program == "" {
		var err error
		if e.program, err = os.Executable(); err != nil {
			return nil, err
		}
	}
	var err error
	if e.digest, err = ownDigest(); err != nil {
		return nil, err
	}
	if len(e.hops) == 0 {
		err = e.visit(ctx, 0)
		return e.findings, err
	}
	e.add(e.hops[0].String(), nextHop(ctx, e.hops[0], e.program, e.stop(0))...)
	for i := range e.hops {
		if err := e.visit(ctx, i+1); err != nil {
			return e.findings, err
		}
	}
	return e.findings, nil
}

// An examination is one run of [Examine].
type examination struct {
	spec     transport.Spec
	hops     []transport.Transport
	program  string // on the far side
	digest   string // of the file that runs here
	options  Options
	askable  []bool           // by hop: whether it can ask
	memory   *password.Memory // nil: nobody may be asked
	noisy    bool             // an earlier hop prints before the worker speaks
	findings []Finding
}

// add adds findings about a hop, less those that are there already.
func (e *examination) add(hop string, more ...Finding) {
	for _, f := range more {
		f.Hop = hop
		if !slices.Contains(e.findings, f) {
			e.findings = append(e.findings, f)
		}
	}
}

// told reports whether there is an error of this check about a hop.
func (e *examination) told(hop, check string) bool {
	return slices.ContainsFunc(e.findings, func(f Finding) bool {
		return f.Hop == hop && f.Check == check && f.Severity == Error
	})
}

// hopBefore is the hop that leads to a place.
func (e *examination) hopBefore(place int) string {
	if place == 0 {
		return transport.Self{}.String()
	}
	return e.hops[place-1].String()
}

// question is what a worker at a place is asked.
func (e *examination) question(place int) question {
	q := question{Digest: e.digest, System: here}
	if e.options.Deploy.On {
		q.Digest = "" // that it has the right one was looked at when it was brought
	}
	if place < len(e.hops) {
		q.Next, q.Stop = e.hops[place].String(), e.stop(place)
	}
	return q
}

// stop is how the worker behind the hop at a place will be started. A hop behind another asks through this program there,
// which with Deploy may not be there yet.
func (e *examination) stop(place int) stop {
	deploys := e.options.Deploy.On
	asks := e.memory != nil && e.askable[place] && (place == 0 || !deploys)
	return stop{Last: place == len(e.hops)-1, Asks: asks, Deploys: deploys}
}

// failed tells what kept a worker from answering, and returns the error if it ends the examination: a place on the way need
// not have this program.
func (e *examination) failed(place int, err error) error {
	f, passable := fromError(err)
	f.Hop = e.hopBefore(place)
	var t *box.TransportError
	if errors.As(err, &t) && place > 1 && slices.ContainsFunc(e.hops[:place], func(h transport.Transport) bool { return h.String() == t.Hop }) {
		f.Hop = t.Hop
	}
	if i := slices.IndexFunc(e.hops, func(h transport.Transport) bool { return h.String() == f.Hop }); i >= 0 && f.Check == checkProgram {
		if sudo, is := e.hops[i].(transport.Sudo); is && sudo.Login && strings.Contains(f.What, ": sudo: ") {
			f.What, f.Fix, passable = "the login shell of the target user is not there: "+f.What, "Give that user a shell that is there, with usermod -s, or leave login out.", false
		}
	}
	if e.options.Deploy.On && f.Check == checkProgram && (f.What == transport.ReasonNotFound || strings.HasPrefix(f.What, transport.ReasonNotFound) && strings.Contains(f.What, "/bin/sh")) {
		f.What = "there is no /bin/sh, which has to take the program in: " + f.What
		f.Fix = "Take an image that has one; or put the program into this one, name it with binary=, and leave --deploy out."
	}
	if passable && place < len(e.hops) {
		f.Severity, f.What = Note, "there is no worker at this stop, so that it was not looked at: "+f.What
		e.add(f.Hop, f)
		return nil
	}
	if !e.told(f.Hop, f.Check) && !(f.Check == checkAuth && e.told(f.Hop, checkPrivilege)) {
		e.add(f.Hop, f)
	}
	return err
}
