// Package transport says how a copy of this program is started somewhere else: as another user, on another host, or
// both.
//
// A [Transport] is a value that turns the argv of a worker into a longer argv that runs it there: [Sudo], [SSH], [Su],
// [Docker], [Kubectl] and many more, [Command] and [Template] for any other tool. Transports compose: a [Chain] is a
// transport. None of them starts anything. [Build] adds the one thing that depends on this machine, which file the outermost program is, and refuses a file that someone
// other than root could have replaced:
//
//	argv, err := transport.Build(transport.Sudo{User: "www"}, []string{"/opt/app", "__deliver"})
//	// argv: /usr/bin/sudo -n -u www -- /opt/app __deliver
//
// [Parse] reads the text form that flags, inventories and logs use; SPEC.md describes it. [Explain] shows what each
// hop will run, and [Diagnose] says why a hop failed before the worker could speak.
//
// A transport is trusted like a command line: some fields can make ssh or sudo run other programs. Values from
// strangers belong into single fields (Host, User), which are checked, never into the text of a spec.
package transport

// A Transport turns the argv of a worker into the argv that starts it somewhere else.
type Transport interface {
	// Command returns what to run so that argv runs on the far side, byte for byte. It must not change argv. The
	// first word may be a bare program name, such as "sudo": [Build] finds the file. The error says which field of
	// the transport is wrong.
	Command(argv []string) ([]string, error)

	// String is the transport in spec form, such as "sudo=www"; [Parse] reads it back.
	String() string
}
