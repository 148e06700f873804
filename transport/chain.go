package transport

import (
	"fmt"
	"strings"
)

const (
	maxHops   = 8 // hops in one chain
	maxRepeat = 3 // times the same hop may stand in one chain
)

// Chain goes through several transports, the first one on this machine, the last one closest to the worker:
// Chain{SSH{Host: "web1"}, Sudo{}} is root on web1. Chains inside a chain are flattened; an empty chain, and nil
// inside one, mean [Self]. At most 8 hops, the same hop at most 3 times.
//
// Only the first hop runs on this machine. Behind it, a bare program name becomes /usr/bin/NAME (/usr/sbin/NAME for
// chroot, runuser and jexec), an SSH hop does not share its connection, and "~/" in ssh_config is refused: the machine or
// user there is not ours to look at.
type Chain []Transport

// Command returns the argv of the first hop, which contains the others.
func (c Chain) Command(argv []string) ([]string, error) {
	steps, err := unfold(Hops(c), argv)
	if err != nil {
		return nil, err
	}
	return steps[0], nil
}

// String is the specs of the hops joined by "//".
func (c Chain) String() string {
	hops := Hops(c)
	if len(hops) == 0 {
		return Self{}.String()
	}
	texts := make([]string, len(hops))
	for i, hop := range hops {
		texts[i] = hop.String()
	}
	return strings.Join(texts, separator)
}

// Hops returns the transports that t really consists of, outermost first: chains are flattened, [Self] and nil left
// out. It is empty when the worker runs right here.
func Hops(t Transport) []Transport {
	switch t := t.(type) {
	case nil, Self:
		return nil
	case Chain:
		var hops []Transport
		for _, inner := range t {
			hops = append(hops, Hops(inner)...)
		}
		return hops
	}
	return []Transport{t}
}

// unfold returns what runs at each hop, outermost first; the last one is argv itself.
func unfold(hops []Transport, argv []string) ([][]string, error) {
	if err := checkHops(hops); err != nil {
		return nil, err
	}
	self, err := Self{}.Command(argv)
	if err != nil {
		return nil, err
	}
	steps := make([][]string, len(hops)+1)
	steps[len(hops)] = self
	for i := len(hops) - 1; i >= 0; i-- {
		steps[i], err = hopCommand(hops[i], steps[i+1], i > 0)
		if err != nil {
			return nil, err
		}
		if err := checkArgv(steps[i]); err != nil {
			return nil, fmt.Errorf("%w (what %s would run)", err, hops[i])
		}
	}
	return steps, nil
}

// hopCommand is the argv of one hop. A far hop runs behind another one.
func hopCommand(hop Transport, argv []string, far bool) ([]string, error) {
	if !far {
		return hop.Command(argv)
	}
	if _, ok := hop.(Dialer); ok {
		return nil, fmt.Errorf("transport: chain: %s reaches out from this process, so it can only be the first hop", hop)
	}
	if ssh, ok := hop.(SSH); ok {
		hop = farSSH{ssh}
	}
	out, err := hop.Command(argv)
	if err == nil && len(out) > 0 && out[0] != "" && !strings.Contains(out[0], "/") {
		out[0] = farDir(out[0]) + out[0]
	}
	return out, err
}

// farDir is where a program usually is on a machine that cannot be looked at. Where there is only one directory for all
// programs, the other name leads there.
func farDir(program string) string {
	switch program {
	case "chroot", "runuser", "jexec":
		return "/usr/sbin/"
	}
	return "/usr/bin/"
}

func checkHops(hops []Transport) error {
	if len(hops) > maxHops {
		return fmt.Errorf("transport: chain: has %d hops; at most %d are allowed", len(hops), maxHops)
	}
	count := make(map[string]int, len(hops))
	for _, hop := range hops {
		text := hop.String()
		if count[text]++; count[text] > maxRepeat {
			return fmt.Errorf("transport: chain: the hop %s stands there more than %d times; the chain runs in circles",
				shown(text), maxRepeat)
		}
	}
	return nil
}
