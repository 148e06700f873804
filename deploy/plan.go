package deploy

import (
	_ "embed"
	"fmt"
	"io"
	"maps"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seed354a1416/deliveryboy/internal/armour"
)

//go:embed bootstrap.sh
var source string

// script is the source as it travels: without comments and indents, and in one line. With a line break in it a transport
// would need another shell, as some login shells take that for an end even within quotes.
var script = sync.OnceValue(func() string {
	var b strings.Builder
	for line := range strings.Lines(source) {
		if line = strings.Trim(line, "\t\n"); line != "" && line[0] != '#' {
			b.WriteString(line + joint(line))
		}
	}
	return b.String()
})

// joint stands between a line and the next one.
func joint(line string) string {
	switch line[strings.LastIndexByte(line, ' ')+1:] {
	case "{", "in", "then", "else", "do", ";;", "|", "||", "&&":
		return " "
	}
	return "; "
}

// A Plan is what is to be brought to one far side.
type Plan struct {
	options Options
	digest  string // what the far side looks for first; "-" if its system has to be known before
	now     func() time.Time
}

// Prepare looks at the files that may have to travel. The error says which cannot be read.
func Prepare(o Options) (*Plan, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	if o.Bundle != "" {
		if _, err := openBundle(o.Bundle); err != nil {
			return nil, err
		}
	}
	if o.Bundle != "" || len(o.Programs) > 0 {
		return &Plan{o, "-", time.Now}, nil
	}
	p, err := own()
	if err != nil {
		return nil, fmt.Errorf("deploy: this program's own file: %w", err)
	}
	return &Plan{o, p.digest, time.Now}, nil
}

// Argv is what a transport has to start so that a worker comes about, narrowed to functions if there are names. Nothing in it
// is secret.
func (p *Plan) Argv(names ...string) []string { return p.argv(script(), names) }

// Shown is Argv for people, without the text of the script.
func (p *Plan) Shown(names ...string) []string { return p.argv("…", names) }

func (p *Plan) argv(script string, names []string) []string {
	keep := ""
	if p.options.KeepNothing {
		keep = "1"
	}
	return []string{"/bin/sh", "-c", script, "deliveryboy", p.digest, p.options.Cache, keep, strings.Join(names, ",")}
}

// A Link is the way to the far side.
type Link struct {
	In       io.Writer // the far side's stdin
	Out      io.Reader // its stdout
	Noise    io.Writer // gets what it prints and does not mean for this side
	Progress func()    // called when a piece of the program has left; may be nil
}

// Meet talks with the script until it becomes the program. What follows on both streams is the program's then, and nothing
// of that has been read but noise. The error is an *[Error], or that of a stream; whoever calls it has to end the far
// side then. It waits without limit: to end that, close the streams.
func (p *Plan) Meet(l Link) (Result, error) {
	t := &talk{plan: p, link: l, free: -1, nonce: armour.NewNonce().String()}
	t.lines = newLines(l.Out, "=====DEPLOY "+t.nonce+" ", l.Noise)
	t.say(t.nonce)
	for {
		word, rest, err := t.lines.next()
		if err != nil {
			return t.result, t.ended(err)
		}
		done, err := t.answer(word, rest)
		if err != nil || done {
			return t.result, err
		}
	}
}

// programFor returns the file for a system.
func (p *Plan) programFor(system string) (*program, error) {
	found, err := p.options.other(system)
	if err != nil || found != nil {
		return found, err
	}
	if system != here {
		return nil, &Error{Why: p.options.absent(system)}
	}
	b, err := own()
	if err != nil {
		return nil, &Error{Why: "this program's own file cannot be read", Err: err}
	}
	return b, nil
}

// here is this system.
const here = runtime.GOOS + "/" + runtime.GOARCH

// other is the file for a system that Programs or Bundle have; nil if they have none.
func (o Options) other(system string) (*program, error) {
	if name := o.Programs[system]; name != "" {
		b, err := fromFile(name)
		if err != nil {
			return nil, &Error{Why: "the file for " + system + " cannot be read", Err: err}
		}
		return b, nil
	}
	if o.Bundle == "" {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	b, err := fromBundle(o.Bundle, system)
	if err != nil {
		return nil, &Error{Why: "the bundle's program for " + system + " cannot be used", Err: err}
	}
	return b, nil
}

// absent says that there is no file for a system, and which there are.
func (o Options) absent(system string) string {
	why := fmt.Sprintf("the far side is %.80q, this program is for %q", system, here)
	if len(o.Programs) > 0 {
		why += fmt.Sprintf(", there are files for %q", slices.Sorted(maps.Keys(o.Programs)))
	}
	switch b, err := openBundle(o.Bundle); {
	case o.Bundle == "":
		why += "; make a bundle with deliveryboy pack, and name it"
	case err == nil:
		why += fmt.Sprintf(", and the bundle %.1024q has %q; make it again, for this system too", o.Bundle, b.Systems())
	}
	return why
}

// Serves reports whether Bundle or Programs have a build for a system, which then may serve in this program's place there.
func (o Options) Serves(system, build string) (bool, error) {
	p, err := o.other(system)
	return p != nil && p.build == build, err
}
