package deploy

import (
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// What the script says, as SPEC.md has it.
const (
	sayHere     = "here"
	sayArch     = "arch"
	sayNeed     = "need"
	sayMore     = "more"
	sayRefuse   = "refuse"
	sayNone     = "none"
	sayTerminal = "terminal"
)

// piece is how much of the program leaves at once.
const piece = 256 << 10

// maxSaid is how many lines the script has at most: two for each place, and some.
const maxSaid = 32

// maxPath is how long a path may be, in bytes.
const maxPath = 4096

// spare is what a place must have besides the program, in bytes.
const spare = 64 << 10

// A talk is one with one far side.
type talk struct {
	plan    *Plan
	link    Link
	nonce   string
	lines   *lines
	program *program // for the far side's system, when that is known
	packs   bool     // the program is sent compressed: the far side can unpack, and it pays
	probe   *probe   // nil before one was sent
	free    int64    // in the place that was offered last
	said    int      // lines of the script's
	tried   []Try
	result  Result
}

// say tells the script a line. If it does not take it, it has ended, and what it said before that tells why.
func (t *talk) say(line string) { _, _ = io.WriteString(t.link.In, line+"\n") }

// answer takes in one line of the script's. It is true when the script becomes the program.
func (t *talk) answer(word, rest string) (done bool, err error) {
	if t.said++; t.said > maxSaid {
		return false, &Error{Why: fmt.Sprintf("the far side has said %d lines and has no end", maxSaid), Tried: t.tried}
	}
	switch word {
	case sayHere:
		return true, t.here(rest)
	case sayArch:
		return false, t.arch(strings.Fields(rest))
	case sayNeed:
		return false, t.need(rest)
	case sayMore:
		return false, t.more()
	case sayRefuse:
		dir, why, _ := strings.Cut(rest, "\t")
		t.refused(dir, why)
		return false, nil
	case sayTerminal:
		return false, &Error{Why: "the program is not there, and cannot be sent: a terminal is in the way, which does not pass all bytes"}
	case sayNone:
		return false, t.none()
	}
	return false, &Error{Why: fmt.Sprintf("the far side says %.80q, which means nothing", word)}
}

// refused notes a place that cannot be used. One with a name of this call's own is tried last, if its parent could not be
// used under another name either: that says nothing new.
func (t *talk) refused(dir, why string) {
	if t.plan.options.KeepNothing || !strings.HasSuffix(dir, t.nonce) {
		t.tried = append(t.tried, Try{Dir: dir, Free: t.free, Why: why})
	}
	t.free = -1
}

// here ends the talk: what comes next is the program's.
func (t *talk) here(at string) error {
	if at != "" && (!path.IsAbs(at) || path.Clean(at) != at || len(at) > maxPath || strings.ContainsFunc(at, unicode.IsControl)) {
		return &Error{Why: fmt.Sprintf("the far side says that the program is in %.80q, which is no path", at)}
	}
	t.result.Path = at
	if t.program == nil {
		p, err := own()
		if err != nil {
			return err
		}
		t.program = p
	}
	t.result.Build = t.program.build
	t.lines.giveBack()
	return nil
}

// arch: the program was not found. The far side's system is known now, and with it what to look for.
func (t *talk) arch(words []string) (err error) {
	if len(words) < 2 {
		return &Error{Why: fmt.Sprintf("the far side says of its system %.80q, and not its name and machine", words)}
	}
	t.packs, t.free = len(words) > 2, -1
	if t.program, err = t.plan.programFor(systemOf(words[0], words[1])); err != nil {
		return err
	}
	t.say(t.program.digest)
	return nil
}

// need sends the program, if there is room for it.
func (t *talk) need(rest string) error {
	blocks, dir, _ := strings.Cut(rest, " ")
	if t.program == nil {
		return errEarly
	}
	if n, err := strconv.ParseInt(blocks, 10, 64); err == nil && n >= 0 && n < 1<<50 {
		t.free = n << 10
		if t.free < t.program.size+spare {
			t.refused(dir, "there is not enough room")
			t.say("next")
			return nil
		}
	}
	if t.packs && t.probe == nil && t.program.sample != nil {
		return t.ask()
	}
	return t.push()
}

// ask sends a piece that is not kept, to see how long that takes.
func (t *talk) ask() error {
	sample, err := t.program.sample()
	if err == nil {
		t.probe, err = newProbe(sample, t.plan.now)
	}
	if err != nil {
		return &Error{Why: "this program's own file", Err: err}
	}
	t.probe.sent = t.plan.now()
	t.say(fmt.Sprintf("probe %d", len(sample)))
	t.send(sample)
	return nil
}

// more: the piece has arrived.
func (t *talk) more() error {
	if t.probe == nil || t.probe.sent.IsZero() {
		return &Error{Why: "the far side wants more than it asked for"}
	}
	t.packs = t.probe.pays(t.plan.now().Sub(t.probe.sent))
	t.probe.sent = time.Time{}
	return t.push()
}

// push sends the program.
func (t *talk) push() error {
	t.result.Pushed = true
	send := t.plain
	if t.packs {
		send = t.packed
	}
	if err := send(); err != nil {
		return &Error{Why: "this program's own file", Err: err}
	}
	return nil
}

func (t *talk) packed() error {
	packed, err := t.program.packed()
	if err == nil {
		t.say(fmt.Sprintf("pack %d", len(packed)))
		t.send(packed)
	}
	return err
}

func (t *talk) plain() error {
	t.say(fmt.Sprintf("push %d", t.program.size))
	return t.program.plain(way{t})
}

// A way is a talk as a writer of the program. It takes everything: see say.
type way struct{ *talk }

func (w way) Write(b []byte) (int, error) {
	w.send(b)
	return len(b), nil
}

func (t *talk) send(b []byte) {
	for len(b) > 0 {
		n, err := t.link.In.Write(b[:min(len(b), piece)])
		t.result.Sent += int64(n)
		if err != nil {
			return // as in say
		}
		b = b[n:]
		if t.link.Progress != nil {
			t.link.Progress()
		}
	}
}

// errEarly is for a script that is not ours.
var errEarly = &Error{Why: "the far side wants the program before it has said what system it is"}

func (t *talk) none() error {
	if t.program == nil {
		return errEarly
	}
	e := &Error{Why: "there is no place for this program on the far side", Need: t.program.size, Tried: t.tried}
	for _, try := range t.tried {
		if t.program.loader != "" && strings.HasPrefix(try.Why, "the program does not start") {
			e.Why = fmt.Sprintf("this program cannot start on the far side: it needs the dynamic loader %q, and libraries; build it with CGO_ENABLED=0", t.program.loader)
		}
	}
	return e
}

// ended is the error of a far side that ended in the middle of the talk.
func (t *talk) ended(err error) error {
	if len(t.tried) == 0 {
		return err
	}
	e := &Error{Why: "the far side ended", Tried: t.tried, Err: err}
	if t.program != nil {
		e.Need = t.program.size
	}
	return e
}
