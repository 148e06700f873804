package transport

import "slices"

// SRun starts the worker as a task of Slurm, on a node that Slurm chooses or that is named, through srun. argv arrives
// unchanged: to srun a word ":" begins another job, behind "--" too, so that argv goes through /bin/sh if it has one. A task
// may wait long for its turn: raise the patience of the session. Within a job, where it is a step, it waits until no other step
// has what the job has, unless SLURM_OVERLAP=1 is in the environment. SLURM_LABELIO must not be: it changes what the worker says.
type SRun struct {
	// Node is the only one that may run it; empty means any.
	Node string
	// Partition is that of the task; empty means the default.
	Partition string
	// Program is another srun: an absolute path, or a name that Build looks up; empty means "srun".
	Program string
}

// srunOptions have bytes pass at once, where srun would wait for the end of a line, and win over variables such as
// SLURM_STDOUTMODE, which would send them elsewhere. It is not --quiet, so that it says what a task waits for.
var srunOptions = []string{"--unbuffered", "--input=all", "--output=all", "--error=all", "--nodes=1", "--ntasks=1"}

// Command returns srun for one task, its options, "--" and argv.
func (s SRun) Command(argv []string) ([]string, error) {
	prefix := appendSet(append([]string{programOr(s.Program, "srun")}, srunOptions...),
		[2]string{"--partition", s.Partition}, [2]string{"--nodelist", s.Node})
	if slices.Contains(argv, ":") && checkArgv(argv) == nil {
		argv = []string{"/bin/sh", "-c", "exec " + quoteCommand(argv)}
	}
	return prefixed(s.check(), argv, append(prefix, "--")...)
}

// String is the spec form, such as "srun//partition=debug".
func (s SRun) String() string {
	t := segments{}
	t.add("srun", "")
	t.text("node", s.Node)
	t.text("partition", s.Partition)
	t.text("program", s.Program)
	return t.join()
}

func (s SRun) check() error {
	return checkAll(checkWordOr("srun node", s.Node, containerBytes, maxWord),
		checkWordOr("srun partition", s.Partition, containerBytes, maxWord), checkProgram("srun program", s.Program))
}

func (s SRun) facts() facts { return facts{away: true, codes: true} }

var srunKind = kind{
	name:  "srun",
	begin: func(v string) (Transport, error) { return SRun{}, noValue("srun", v) },
	options: []option{
		textOption("node", func(s *SRun) *string { return &s.Node }),
		textOption("partition", func(s *SRun) *string { return &s.Partition }),
		textOption("program", func(s *SRun) *string { return &s.Program }),
	},
}
