package box

import (
	"errors"
	"fmt"
	"reflect"
	"runtime"
)

// packTree lays an error tree out flat. Errors are code of somebody else: whatever they do when asked, they cannot
// stop this, or make it grow without bound.
func packTree(err error) []Node {
	p := &packer{texts: maxFaultTexts, fields: maxFaultFields}
	p.add(err, 0)
	return p.nodes
}

type packer struct {
	nodes  []Node
	texts  int // bytes of text that are still free
	fields int // bytes of fields that are still free
}

var errFaultFull = errors.New("the error tree is too large")

// add appends err and all below it, and gives its index; false if there is no room for it.
func (p *packer) add(err error, depth int) (int, bool) {
	if err == nil || depth >= maxFaultDepth || len(p.nodes) >= maxFaultNodes {
		return 0, false
	}
	i := len(p.nodes)
	p.nodes = append(p.nodes, Node{}) // its place: children come after it
	n, causes := p.describe(err, depth)
	for _, cause := range causes {
		if child, ok := p.add(cause, depth+1); ok {
			n.Causes = append(n.Causes, child)
		}
	}
	p.nodes[i] = n
	return i, true
}

// describe makes the node of err, with the errors that are still to be hung below it.
func (p *packer) describe(err error, depth int) (Node, []error) {
	if bare := bareOf(err); bare != nil {
		return p.describeBare(bare)
	}
	n := Node{Type: typeName(err), Msg: p.text(textOf(err))}
	if name, ok := sentinelName(err); ok {
		n.Sentinel = name
		return n, nil
	}
	n.Stack = p.text(ownStack(err))
	t := errtypeOf(err)
	if isNilPointer(err) {
		n.Traits |= isNil
		if t != nil {
			n.Codec = t.key
		}
		return n, nil
	}
	var inFields []error
	if t != nil {
		inFields = p.describeFields(&n, t, err, depth)
	}
	if n.Codec != "" && !t.loose {
		return n, nil
	}
	if r, ok := err.(*RemoteError); ok {
		n.Traits = r.traits &^ isNil // its original was the nil pointer
	} else if n.Codec == "" {
		n.Traits = traitsOf(err)
	}
	n.Is = ownSentinels(err)
	return n, without(unwrap(err), inFields)
}

// describeBare makes the node of an error that already is the image of one, so that a second trip does not wrap it
// once more.
func (p *packer) describeBare(e *RemoteError) (Node, []error) {
	n := Node{Type: e.Type, Msg: p.text(e.Msg), Stack: p.text(e.Stack), Traits: e.traits}
	for _, s := range e.is {
		if name, ok := sentinelName(s); ok {
			n.Is = append(n.Is, name)
		}
	}
	if e.null != nil {
		n.Codec = errtypeOf(e.null).key
		return n, nil
	}
	return n, e.below()
}

// describeFields encodes the fields of err, and gives the errors that travel among them. If the fields cannot travel,
// the node stays without a codec.
func (p *packer) describeFields(n *Node, t *errtype, err error, depth int) []error {
	mark, free := len(p.nodes), p.fields
	var children []error
	b, ferr := t.encode(err, func(child error) (int, error) {
		i, ok := p.add(child, depth+1)
		if !ok {
			return 0, errFaultFull
		}
		children = append(children, child)
		return i, nil
	})
	if ferr != nil || len(b) > p.fields {
		p.nodes, p.fields = p.nodes[:mark], free
		return nil
	}
	p.fields -= len(b)
	n.Codec, n.Fields = t.key, b
	return children
}

// text cuts s to what a node may hold, and to what is left for all of them.
func (p *packer) text(s string) string {
	if s == "" {
		return ""
	}
	s = cut(s, min(maxFaultText, max(p.texts, 0)))
	p.texts -= len(s)
	return s
}

// quietly runs f, and says whether it came through without a panic.
func quietly(f func()) (ok bool) {
	defer func() {
		if r := recover(); r != nil {
			ok = false
		}
	}()
	f()
	return true
}

// textOf is what err says; where its Error method panics, what fmt would print.
func textOf(err error) (text string) {
	defer func() {
		r := recover()
		switch {
		case r == nil:
		case isNilPointer(err):
			text = "<nil>"
		default:
			text = fmt.Sprintf("%%!v(PANIC=Error method: %v)", r)
		}
	}()
	return err.Error()
}

func typeName(v any) string { return cut(fmt.Sprintf("%T", v), maxFaultName) }

func isNilPointer(err error) bool {
	v := reflect.ValueOf(err)
	return v.Kind() == reflect.Pointer && v.IsNil()
}

// ownStack is the stack that err itself carries.
func ownStack(err error) (s string) {
	quietly(func() {
		if d, ok := err.(*DeliveryError); ok && d != nil {
			s = d.stack.String()
			return
		}
		s = stackOf(err)
	})
	return s
}

func traitsOf(err error) (t Traits) {
	quietly(func() {
		if x, ok := err.(interface{ Timeout() bool }); ok {
			t |= hasTimeout
			if x.Timeout() {
				t |= isTimeout
			}
		}
	})
	quietly(func() {
		if x, ok := err.(interface{ Temporary() bool }); ok {
			t |= hasTemporary
			if x.Temporary() {
				t |= isTemporary
			}
		}
	})
	if _, ok := err.(runtime.Error); ok {
		t |= isRuntime
	}
	return t
}

// unwrap is what err directly wraps.
func unwrap(err error) (below []error) {
	quietly(func() {
		switch x := err.(type) {
		case interface{ below() []error }: // our own, which may know more than they unwrap
			below = x.below()
		case interface{ Unwrap() error }:
			below = []error{x.Unwrap()}
		case interface{ Unwrap() []error }:
			below = x.Unwrap()
		}
	})
	return below
}

// without drops the errors that travel among the fields already.
func without(all, taken []error) []error {
	var rest []error
	for _, err := range all {
		found := err == nil
		for _, t := range taken {
			found = found || sameError(err, t)
		}
		if !found {
			rest = append(rest, err)
		}
	}
	return rest
}

func sameError(a, b error) bool {
	if reflect.TypeOf(a) != reflect.TypeOf(b) {
		return false
	}
	if canCompare(a) && canCompare(b) {
		return a == b
	}
	return textOf(a) == textOf(b)
}

// canCompare says whether err can be compared and be a key of a map. The type alone does not tell: a struct may hold
// a slice in an interface.
func canCompare(err error) bool { return reflect.ValueOf(err).Comparable() }
