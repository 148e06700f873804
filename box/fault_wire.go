package box

import "fmt"

// EncodeFault returns a fault as bytes, for a message that has no reply around it.
func EncodeFault(f *Fault) []byte {
	var p pen
	p.fault(f)
	return p.out
}

// DecodeFault reads what [EncodeFault] wrote. Bytes from a hostile sender make an *[EncodingError], and never a panic or
// a large allocation.
func DecodeFault(b []byte) (*Fault, error) {
	if len(b) > maxHead {
		return nil, &EncodingError{What: "fault", Why: fmt.Sprintf("it is %d bytes, more than the limit of %d", len(b), maxHead)}
	}
	e := eye{in: b}
	f := e.fault()
	if err := e.end("fault"); err != nil {
		return nil, err
	}
	return f, nil
}

func (p *pen) fault(f *Fault) {
	p.uint(uint64(f.Kind))
	p.string(f.Text)
	p.string(f.Stack)
	p.int(int64(f.Code))
	p.string(f.Signal)
	p.uint(uint64(len(f.Nodes)))
	for i := range f.Nodes {
		n := &f.Nodes[i]
		p.string(n.Type)
		p.string(n.Msg)
		p.string(n.Stack)
		p.string(n.Sentinel)
		p.string(n.Codec)
		p.bytes(n.Fields)
		p.uint(uint64(len(n.Causes)))
		for _, c := range n.Causes {
			p.int(int64(c))
		}
		p.strings(n.Is)
		p.uint(uint64(n.Traits))
	}
}

func (e *eye) fault() *Fault {
	f := &Fault{Kind: Kind(e.small()), Text: e.string(), Stack: e.string(), Code: int(e.int()), Signal: e.string()}
	n := e.count("errors", maxFaultNodes)
	if n == 0 {
		return f
	}
	f.Nodes = make([]Node, n)
	for i := range f.Nodes {
		f.Nodes[i] = e.node()
	}
	return f
}

func (e *eye) node() Node {
	n := Node{
		Type: e.string(), Msg: e.string(), Stack: e.string(), Sentinel: e.string(), Codec: e.string(), Fields: e.bytes(),
	}
	if causes := e.count("causes", maxFaultNodes); causes > 0 {
		n.Causes = make([]int, causes)
		for i := range n.Causes {
			n.Causes[i] = int(e.int())
		}
	}
	n.Is = e.strings("sentinels", maxFaultNodes)
	n.Traits = Traits(e.uint())
	return n
}
