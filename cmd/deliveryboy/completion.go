package main

import (
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/registry"
)

// The keys of a spec, with what a shell shows beside them. A test compares them with what the parser knows.
var (
	specHops = []string{
		"self\tright here, in a fresh process", "sudo\troot through sudo", "sudo=\tanother user through sudo",
		"ssh=\tanother host", "socket=\ta server on a unix socket", "userns\tin a user namespace of its own", "command=\tbehind a command of your own",
		"template=\tbehind any other tool", "su\troot through su", "su=\tanother user through su", "doas\troot through doas",
		"doas=\tanother user through doas", "runuser=\tanother user, for root", "setpriv\tfewer rights",
		"setpriv=\tother ids, for root", "pkexec\troot through polkit", "run0\troot through systemd",
		"systemd_run\ta service of its own", "newroot=\tanother root directory", "unshare=\tnamespaces of its own",
		"nsenter=\tthe namespaces of a process", "jexec=\ta jail of FreeBSD", "docker=\ta container of docker",
		"docker_run=\ta fresh container of an image", "podman=\ta container of podman", "nerdctl=\ta container of containerd",
		"kubectl=\ta pod", "lxc=\tan instance of LXD", "incus=\tan instance of Incus", "lxc_attach=\ta container of LXC",
		"machinectl=\ta container of systemd", "vagrant\ta virtual machine", "bsub\ta host of LSF", "srun\ta node of Slurm",
	}
	specSettings = []string{
		"chdir=\tthe directory there", "env:\ta variable, as in env:LANG=C", "nice=\tadded to the priority",
		"umask=\tin octal", "binary=\tthe program there", "id=\ta name for the session",
	}
)

// completeFunction completes the name of a function, and files after it: an argument may be @FILE.
func completeFunction(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveDefault
	}
	var names []string
	for _, name := range functionNames() {
		if entry, ok := registry.Lookup(name); ok && strings.HasPrefix(name, toComplete) {
			names = append(names, name+"\t"+entry.Doc())
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// completeSpec completes the last part of a spec. The first may be the name of a target.
func (t *terminal) completeSpec(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	before := ""
	if i := strings.LastIndex(toComplete, "//"); i >= 0 {
		before = toComplete[:i+len("//")]
	}
	keys := specHops
	if before != "" {
		keys = append(specHops[:len(specHops):len(specHops)], specSettings...)
	}
	var specs []string
	for _, key := range keys {
		if strings.HasPrefix(before+key, toComplete) {
			specs = append(specs, before+key)
		}
	}
	if before == "" {
		specs = append(specs, t.completeTarget(toComplete)...)
	}
	return specs, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveNoSpace
}

// completeTarget completes the name of a target, with "@" if it was begun so.
func (t *terminal) completeTarget(toComplete string) []string {
	targets, err := t.targets()
	if err != nil {
		return nil // the command itself will say it
	}
	var words []string
	for _, name := range targets.Names() {
		if strings.HasPrefix(toComplete, atTarget) {
			name = atTarget + name
		}
		if strings.HasPrefix(name, toComplete) {
			words = append(words, name+"\t"+targets[strings.TrimPrefix(name, atTarget)])
		}
	}
	return words
}

// completeSpecFlag sees to the flag --via of a command.
func (t *terminal) completeSpecFlag(cmd *cobra.Command, via *specFlag) {
	t.vias = append(t.vias, via)
	if err := cmd.RegisterFlagCompletionFunc("via", t.completeSpec); err != nil {
		panic(err) // there is no such flag: a mistake in this package
	}
}

// completeWords completes a flag that is one of a few words.
func completeWords(cmd *cobra.Command, flag string, words []string) {
	if err := cmd.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // there is no such flag: a mistake in this package
	}
}
