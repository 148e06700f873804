package transport

import "strconv"

// Spec is a transport together with the settings of the worker behind it: one line of an inventory, the value of a
// flag. Its text form is described in SPEC.md.
type Spec struct {
	// Via is how the worker is reached; nil means [Self].
	Via Transport
	// ID names the session; empty lets the opener choose.
	ID string
	// Binary is the absolute path of the program on the far side; empty means the path of this program.
	Binary string
	// Dir is the worker's directory; empty leaves the one that the transport chose.
	Dir string
	// Nice is added to the worker's priority value, -20 to 19; 0 leaves it.
	Nice int
	// Umask is the worker's umask in octal, such as "022"; empty leaves it.
	Umask string
	// Env are "NAME=VALUE" entries for the worker, see [CheckEnvironment].
	Env []string
	// Extra are the "key" and "key=value" entries that [ParseLax] did not know, in their order.
	Extra []string
}

// String is the text that [Parse] reads back: the hops first, then the settings. (With Extra only [ParseLax] reads it.)
func (s Spec) String() string {
	t := segments{Chain{s.Via}.String()}
	t.text("id", s.ID)
	t.text("binary", s.Binary)
	t.text("chdir", s.Dir)
	if s.Nice != 0 {
		t.text("nice", strconv.Itoa(s.Nice))
	}
	t.text("umask", s.Umask)
	for _, entry := range s.Env {
		t.entry("env:" + entry)
	}
	for _, entry := range s.Extra {
		t.entry(entry)
	}
	return t.join()
}
