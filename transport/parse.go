package transport

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/internal/spelling"
)

// maxSpec is the longest spec that is read, in bytes: a full environment with room for its escapes.
const maxSpec = 4 * maxEnvironment

// Parse reads a spec such as "ssh=deploy@web1//sudo=root//chdir=/srv//env:LANG=C". SPEC.md describes the syntax, which
// is execnet's, extended to chains. Parse of [Spec.String] gives the same spec back, with nested chains flattened.
// Errors are of type *[SyntaxError].
func Parse(text string) (Spec, error) { return parse(text, false) }

// ParseLax is like [Parse], but keeps keys that it does not know in Extra, as execnet does.
func ParseLax(text string) (Spec, error) { return parse(text, true) }

func parse(text string, lax bool) (Spec, error) {
	if text == "" {
		return Spec{}, syntaxError(text, 0, "is empty; begin with one of "+strings.Join(kindNames(), ", "))
	}
	if len(text) > maxSpec {
		return Spec{}, syntaxError(text, maxSpec, fmt.Sprintf("has %d bytes; at most %d are allowed", len(text), maxSpec))
	}
	parts, err := split(text)
	if err != nil {
		return Spec{}, err
	}
	p := parser{lax: lax, seen: map[string]int{}, options: map[string]int{}}
	for _, part := range parts {
		if err := p.take(part); err != nil {
			offset := part.at
			if _, isKey := err.(keyError); isKey {
				offset = part.offset
			}
			return Spec{}, &SyntaxError{Text: text, Offset: offset, Err: err}
		}
	}
	return p.finish(text)
}

// keyError is an error about a key rather than about its value.
type keyError struct{ error }

func (e keyError) Unwrap() error { return e.error }

func badKey(format string, args ...any) error { return keyError{fmt.Errorf(format, args...)} }

// parser collects the hops and settings of one spec.
type parser struct {
	lax      bool
	spec     Spec
	hops     []Transport
	at       []int          // where the hops begin
	named    bool           // a hop was named, though it may be self
	envBytes int            // bytes of environment so far
	seen     map[string]int // settings, and where
	last     kind           // of the last hop
	options  map[string]int // options of the last hop, and where
}

func (p *parser) take(part segment) error {
	if i := slices.IndexFunc(kinds, func(k kind) bool { return k.name == part.key }); i >= 0 {
		return p.takeHop(kinds[i], part)
	}
	if slices.Contains(optionNames(), part.key) {
		return p.takeOption(part)
	}
	known, err := p.takeSetting(part)
	if known || err != nil {
		return err
	}
	if p.lax {
		return p.takeExtra(part)
	}
	return unknownKey(part.key)
}

func (p *parser) takeHop(k kind, part segment) error {
	hop, err := k.begin(part.value)
	if err != nil {
		return err
	}
	if err := checkHop(hop); err != nil {
		return err
	}
	if before := Hops(Chain(p.hops)); len(before) > 0 && is[Socket](before[len(before)-1]) && len(Hops(hop)) > 0 {
		return badKey("%s is behind a socket, whose server starts its own program and nothing else; put the socket last", k.name)
	}
	p.named = true
	p.hops, p.at = append(p.hops, hop), append(p.at, part.offset)
	p.last, p.options = k, map[string]int{}
	if len(Hops(Chain(p.hops))) > maxHops {
		return badKey("one hop too many; at most %d are allowed", maxHops)
	}
	return nil
}

func checkHop(hop Transport) error {
	if c, ok := hop.(interface{ check() error }); ok {
		return c.check()
	}
	return nil
}

// checkWhole checks what can only be told when all options of a hop are there.
func checkWhole(hop Transport) error {
	if c, ok := hop.(interface{ checkWhole() error }); ok {
		return c.checkWhole()
	}
	return nil
}

func (p *parser) takeOption(part segment) error {
	if len(p.hops) == 0 {
		return badKey("%s refines the hop before it, and there is none yet", part.key)
	}
	last := len(p.hops) - 1
	i := slices.IndexFunc(p.last.options, func(o option) bool { return o.name == part.key })
	if i < 0 {
		name, _, _ := strings.Cut(p.hops[last].String(), separator)
		return badKey("%s does not fit the hop before it, which is %s", part.key, shown(name))
	}
	o := p.last.options[i]
	if o.flag && part.hasValue {
		return invalid(part.key, part.value, "takes no value; write "+part.key)
	}
	if !o.flag && part.value == "" {
		return invalid(part.key, "", "needs a value; write "+part.key+"=…")
	}
	if at, twice := p.options[part.key]; twice && !o.repeat {
		return badKey("%s is given twice for one hop, first at byte %d", part.key, at)
	}
	p.options[part.key] = part.offset
	hop, err := o.set(p.hops[last], part.value)
	if err != nil {
		return err
	}
	p.hops[last] = hop
	return checkHop(hop)
}

func (p *parser) finish(text string) (Spec, error) {
	if !p.named {
		return Spec{}, syntaxError(text, len(text), "names no transport; add one of "+strings.Join(kindNames(), ", "))
	}
	for i, hop := range p.hops {
		if err := checkWhole(hop); err != nil {
			return Spec{}, &SyntaxError{Text: text, Offset: p.at[i], Err: err}
		}
	}
	hops := Hops(Chain(p.hops))
	if err := checkHops(hops); err != nil {
		return Spec{}, &SyntaxError{Text: text, Offset: 0, Err: err}
	}
	switch len(hops) {
	case 0:
		p.spec.Via = Self{}
	case 1:
		p.spec.Via = hops[0]
	default:
		p.spec.Via = Chain(hops)
	}
	return p.spec, nil
}

func unknownKey(key string) error {
	if advice, ok := foreign[key]; ok {
		return badKey("key %s is not known here: %s", shown(key), advice)
	}
	allowed := keyNames()
	if near := spelling.Near(key, allowed, 1); len(near) > 0 {
		return badKey("unknown key %s; did you mean %q?", shown(key), near[0])
	}
	return badKey("unknown key %s; allowed are %s", shown(key), strings.Join(allowed, ", "))
}

func kindNames() []string {
	var names []string
	for _, k := range kinds {
		names = append(names, k.name)
	}
	return names
}

func keyNames() []string {
	names := append(kindNames(), optionNames()...)
	for _, s := range settings {
		names = append(names, s.name)
	}
	return append(names, "env:NAME")
}
