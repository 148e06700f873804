package box

import (
	"errors"
	"io"
)

// unpackTree rebuilds the error tree of nodes into top. The nodes come from the far side: every index, count and name
// in them is checked, and a node that cannot be rebuilt becomes the image of an error, with its text.
func unpackTree(nodes []Node, top *RemoteError) {
	u := newUnpacker(nodes)
	if len(u.nodes) == 0 {
		top.Msg = "remote error without a text"
		return
	}
	e, original := u.image(0, 0)
	out := e.shed(original)
	top.Type, top.Msg = e.Type, e.Msg
	if out == error(e) { // top says it all: no image inside an image
		top.inner, top.is, top.null, top.traits = e.inner, e.is, e.null, e.traits
	} else {
		top.inner = []error{out}
	}
	if top.Stack == "" {
		top.Stack = u.stack
	}
}

type unpacker struct {
	nodes  []Node
	taken  []bool // nodes that have a parent already: a tree, and nothing else
	fields int    // bytes of fields that may still be decoded

	stack   string // the stack nearest to where it happened
	deepest int    // its depth
}

var errBadFault = errors.New("the node does not fit its tree")

func newUnpacker(nodes []Node) *unpacker {
	nodes = nodes[:min(len(nodes), maxFaultNodes)]
	return &unpacker{nodes: nodes, taken: make([]bool, len(nodes)), fields: maxFaultFields, deepest: -1}
}

// image makes the image of node i and of all below it, and gives the original as well if it could be rebuilt.
func (u *unpacker) image(i, depth int) (e *RemoteError, original error) {
	n := &u.nodes[i]
	u.taken[i] = true
	e = &RemoteError{
		bare: true, Type: cut(n.Type, maxFaultName), Msg: cut(n.Msg, maxFaultText), Stack: cut(n.Stack, maxFaultText),
		traits: n.Traits,
	}
	if e.Stack != "" && depth > u.deepest {
		u.stack, u.deepest = e.Stack, depth
	}
	if n.Traits.has(isNil) {
		if t := errtypeNamed(n.Codec); t != nil {
			e.null = t.null()
		}
		return e, nil
	}
	original, inner := u.original(n, i, depth)
	causes := u.causes(n, i, depth)
	is := sentinelsNamed(n.Is)
	if original != nil {
		switch kept := adopt(original, e, causes, is); {
		case !kept, !harmless(original):
			original, inner = nil, causes
		case isOurs(original):
			return &RemoteError{bare: true, Type: e.Type, Msg: e.Msg, inner: []error{original}}, original
		default:
			inner = append([]error{original}, causes...)
			is = unsaid(original, is)
		}
	} else {
		inner = append(inner, causes...)
	}
	e.inner, e.is = inner, is
	return e, original
}

// original rebuilds what node i was. Where that fails it gives the errors that it held in its fields.
func (u *unpacker) original(n *Node, i, depth int) (original error, held []error) {
	if n.Sentinel != "" {
		return sentinelNamed(n.Sentinel), nil
	}
	t := errtypeNamed(n.Codec)
	if t == nil || len(n.Fields) > u.fields {
		return nil, nil
	}
	u.fields -= len(n.Fields)
	original, err := t.decode(n.Fields, func(child int) (error, error) {
		if !u.fits(child, i, depth) {
			return nil, errBadFault
		}
		e := u.build(child, depth+1)
		held = append(held, e)
		return e, nil
	})
	if err != nil {
		return nil, held
	}
	return original, nil
}

func (u *unpacker) causes(n *Node, i, depth int) (causes []error) {
	for _, child := range n.Causes {
		if u.fits(child, i, depth) {
			causes = append(causes, u.build(child, depth+1))
		}
	}
	return causes
}

func (u *unpacker) fits(child, parent, depth int) bool {
	return child > parent && child < len(u.nodes) && !u.taken[child] && depth+1 < maxFaultDepth
}

func (u *unpacker) build(i, depth int) error {
	e, original := u.image(i, depth)
	return e.shed(original)
}

// shed is the simplest error that says what the image e says: the original, if there is nothing to add to it.
func (e *RemoteError) shed(original error) error {
	switch {
	case original != nil && len(e.inner) == 1 && e.Stack == "" && len(e.is) == 0 && sameText(original, e.Msg):
		return original
	case original != nil:
		return e
	case e.traits.has(isRuntime):
		return remoteRuntime{e}
	case e.traits.has(hasTimeout | hasTemporary):
		return remoteNet{e}
	}
	return e
}

// sameText says whether err has the text that it had on the far side. Another system may have another text for the
// same error.
func sameText(err error, msg string) bool { return cut(textOf(err), maxFaultText) == msg }

// adopt gives our own errors back what they hold in unexported fields; false if it does not fit.
func adopt(original error, image *RemoteError, causes, is []error) bool {
	switch o := original.(type) {
	case *RemoteError:
		o.inner, o.is, o.traits = causes, is, image.traits
	case *PanicError:
		return o.adopt(causes)
	}
	return true
}

// isOurs says that err holds its causes and sentinels itself now.
func isOurs(err error) bool {
	switch err.(type) {
	case *RemoteError, *PanicError:
		return true
	}
	return false
}

// harmless says that the methods of a rebuilt error can be called: fields from a hostile side may lack what Error or
// Unwrap need.
func harmless(err error) bool {
	return quietly(func() {
		_ = err.Error()
		_ = errors.Is(err, io.EOF)
		if t, ok := err.(interface{ Timeout() bool }); ok {
			_ = t.Timeout()
		}
		if t, ok := err.(interface{ Temporary() bool }); ok {
			_ = t.Temporary()
		}
	})
}

// unsaid drops the sentinels that err itself says it is.
func unsaid(err error, is []error) (rest []error) {
	for _, s := range is {
		if !errors.Is(err, s) {
			rest = append(rest, s)
		}
	}
	return rest
}
