package transport

// BSub starts the worker as an interactive job of LSF, on a host that LSF chooses, through bsub -I. LSF gives the command
// to a shell there, so argv is quoted once. What bsub prints before the job starts is not the worker's. Whether all bytes
// pass is not known, so the wire stays in its text form.
//
// A job may wait long for its turn: raise the patience of the session. bsub is mostly not in one of the directories where
// [Build] looks, so name it in Program.
//
// bsub was not run in the tests; what it runs is recorded.
type BSub struct {
	// Queue is that of the job; empty means the default.
	Queue string
	// Host is the only one that may run it; empty means any.
	Host string
	// Program is another bsub: an absolute path, or a name that Build looks up; empty means "bsub".
	Program string
}

// Command returns bsub -I, its options and argv as one quoted string.
func (b BSub) Command(argv []string) ([]string, error) {
	if err := checkAll(b.check(), needsPath("bsub", argv)); err != nil {
		return nil, err
	}
	out := []string{programOr(b.Program, "bsub"), "-I"}
	for _, o := range [][2]string{{"-q", b.Queue}, {"-m", b.Host}} {
		if o[1] != "" {
			out = append(out, o[0], o[1])
		}
	}
	return append(out, quoteCommand(argv)), nil
}

// String is the spec form, such as "bsub//queue=short".
func (b BSub) String() string {
	t := segments{}
	t.add("bsub", "")
	t.text("queue", b.Queue)
	t.text("node", b.Host)
	t.text("program", b.Program)
	return t.join()
}

func (b BSub) check() error {
	return checkAll(checkWordOr("bsub queue", b.Queue, containerBytes, maxWord), checkWordOr("bsub node", b.Host, containerBytes, maxWord),
		checkProgram("bsub program", b.Program))
}

func (b BSub) facts() facts { return facts{away: true, codes: true, text: true} }

var bsubKind = kind{
	name:  "bsub",
	begin: func(v string) (Transport, error) { return BSub{}, noValue("bsub", v) },
	options: []option{
		textOption("queue", func(b *BSub) *string { return &b.Queue }),
		textOption("node", func(b *BSub) *string { return &b.Host }),
		textOption("program", func(b *BSub) *string { return &b.Program }),
	},
}
