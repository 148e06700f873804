package main

import (
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

func newPoolUnit(t *terminal) *cobra.Command {
	var (
		set  poolFlags
		user string
	)
	cmd := &cobra.Command{
		Use:   "unit [flags]",
		Short: "Print a unit for systemd that serves a pool",
		Long: `unit prints a service for systemd, with the path of this program and the flags in it. Its
socket is in a directory below /run that systemd makes. When systemd stops it, commands have
the time of --drain; then all is killed that is left. With --max-accepts it is started again
each time.`,
		Example: `  deliveryboy pool unit --user www-data --pool-size 4 > /etc/systemd/system/deliveryboy-pool.service
  systemctl enable --now deliveryboy-pool`,
		Args: exactly(0, ""),
		RunE: func(*cobra.Command, []string) error {
			if err := set.check(); err != nil {
				return err
			}
			if set.socket == "" {
				set.socket = "/run/deliveryboy-pool/pool.sock"
			}
			dir := path.Dir(set.socket)
			name := strings.TrimPrefix(dir, "/run/")
			switch {
			case name == dir || strings.ContainsAny(name, "/ %\"'\\\n") || path.Clean(set.socket) != set.socket:
				return &usageError{what: "flag --socket", value: quote(set.socket), why: "systemd makes a directory right below /run for it; write /run/NAME/pool.sock"}
			case strings.ContainsAny(user, " \n%=") || strings.HasPrefix(user, "-"):
				return &usageError{what: "flag --user", value: quote(user), why: "it is no name of a user"}
			}
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			if _, err := t.out.WriteString(poolUnit(exe, user, name, &set)); err != nil {
				return &outputError{err}
			}
			return nil
		},
	}
	set.add(cmd.Flags())
	cmd.Flags().StringVar(&user, "user", "", "the `user` that commands run as (default root)")
	return cmd
}

// poolUnit has the pool alone hear that it is to end (KillMode=mixed): it has commands go on for a while. That one of them dies of
// a lack of memory does not end the others.
func poolUnit(exe, user, dir string, set *poolFlags) string {
	mode, owner, restart := "0700", "", "on-failure"
	if set.accepts > 0 {
		restart = "always"
	}
	if set.rules != "" {
		mode = "0711" // who may do what is looked at when they connect
	}
	if user != "" {
		owner = "User=" + user + "\n"
	}
	return fmt.Sprintf(`[Unit]
Description=deliveryboy pool: workers that wait for commands
StartLimitIntervalSec=0

[Service]
Type=notify
%sExecStart=%s
RuntimeDirectory=%s
RuntimeDirectoryMode=%s
KillMode=mixed
Restart=%s
RestartSec=1
OOMPolicy=continue
TimeoutStopSec=%d
LimitNOFILE=65536
UMask=0077

[Install]
WantedBy=multi-user.target
`, owner, strings.Join(set.argv(exe), " "), dir, mode, restart, int(set.drain.Seconds())+75)
}

// argv is the command line of serve, quoted for systemd.
func (p *poolFlags) argv(exe string) []string {
	words := []string{
		exe, "pool", "serve", "--socket", p.socket, "--pool-size", strconv.Itoa(p.size), "--max-child-tasks", strconv.Itoa(p.tasks),
		"--drain", p.drain.String(),
	}
	for _, f := range []struct {
		name, value string
		given       bool
	}{
		{"--max-accepts", strconv.FormatInt(p.accepts, 10), p.accepts != 0}, {"--task-timeout", p.timeout.String(), p.timeout != 0},
		{"--backlog", strconv.Itoa(p.backlog), p.backlog != 0}, {"--queue", strconv.Itoa(p.waiting), p.waiting != 0},
		{"--rules", p.rules, p.rules != ""}, {"--only", strings.Join(p.only, ","), len(p.only) > 0},
	} {
		if f.given {
			words = append(words, f.name, f.value)
		}
	}
	for i := range words {
		words[i] = unitWord(words[i])
	}
	return words
}
