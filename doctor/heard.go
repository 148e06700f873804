package doctor

import "slices"

// What is taken from one worker: it may be anybody's.
const (
	maxReport   = 1 << 20 // bytes of its answer
	maxFindings = 100     // that it tells about one hop
	maxCheck    = 40      // bytes of what was looked at
	maxFix      = 4096    // of what to do, such as a rule for sudoers
)

// heard are findings that a worker tells, in a form that people can read, and not more than they can.
func heard(told []Finding) []Finding {
	more := len(told) > maxFindings
	told = slices.Clone(told[:min(len(told), maxFindings)])
	for i, f := range told {
		if f.Severity != Error && f.Severity != Warning {
			f.Severity = Note
		}
		f.Check, f.What, f.Fix = visible(f.Check, maxCheck), visible(f.What, maxFix), visible(f.Fix, maxFix)
		told[i] = f
	}
	if more {
		told = append(told, Finding{Check: checkWorker, Severity: Warning, What: "the worker there tells more than any place has: it is another program, or was changed",
			Fix: "Find out who could replace the program there."})
	}
	return told
}
