// Package job starts calls that outlive their caller: the function runs on, its output and its result wait on the target
// until somebody comes for them.
//
//	var backup = registry.Register("backup", func(ctx context.Context, dir string) (Report, error) { … })
//
//	j, err := job.Start(ctx, web, backup, "/srv") // returns when it is sure to run
//	fmt.Println(j.ID)                             // and this program may end
//
//	j, err := job.Attach[Report](ctx, web, id) // another program, later
//	for p, err := range j.Output(ctx, job.Offset{}, true) { … }
//	report, err := j.Wait(ctx)
//	err = j.Acknowledge(ctx)
//
// Any courier will do: a session or delivery.Once, through sudo, ssh, a chain, or into a container. Jobs live on the target
// and belong to the user that the worker there runs as; other users do not see them.
//
// # What keeps a job
//
// Each job has a keeper on the target, a detached copy of the program with a session of its own. It has the function run in
// a worker, writes the output and the result to the job's directory, and ends. It survives the caller, the terminal, sudo
// and sshd, but not the machine, nor a service manager that ends all that a login started (systemd-logind with
// KillUserProcesses=yes: use "loginctl enable-linger"). If it is killed, so is what it started, and the job is [Lost]: how
// far the function came is not known, and nobody says that it ended well. SPEC.md tells what is in the directory.
//
// # What runs once
//
// A job runs once, or not at all, or as often as Options.Tries allows. An order whose fate is not known, because the way to
// the target broke, may be given again under the same Options.ID. Results are there for everybody who asks, any number of
// times, until one acknowledges them.
//
// # Limits
//
// Targets run Linux. Arguments and results travel by value: a reader or a callback would need its caller. One argument or
// reply may have 256 MiB. Output has Options.Output, by default 64 MiB on disk, of which the newest part stays.
package job
