package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/kernel"
)

func newKernelUnit(t *terminal) *cobra.Command {
	var set kernel.Settings
	cmd := &cobra.Command{
		Use:   "unit [flags] service|socket",
		Short: "Print a unit for systemd",
		Long: `unit prints a unit with which systemd starts the kernel, with the path of this program in it:
the service, which may do without the socket, or the socket whose first client starts it.

systemctl reload has the kernel become the program that is installed now; nothing is lost.
systemctl stop and restart end it: its processes go on, but those that print get SIGPIPE, and
its sockets are closed. Remove KillMode to have its processes end with it.`,
		Example: `  deliveryboy kernel unit service > /etc/systemd/system/deliveryboy-kernel.service
  deliveryboy kernel unit socket > /etc/systemd/system/deliveryboy-kernel.socket
  systemctl enable --now deliveryboy-kernel.socket`,
		Args:      exactly(1, "unit"),
		ValidArgs: []string{"service", "socket"},
		RunE: func(_ *cobra.Command, args []string) error {
			if err := set.Complete(); err != nil {
				return err
			}
			exe, err := os.Executable()
			if err != nil {
				return err
			}
			var text string
			switch args[0] {
			case "service":
				text = serviceUnit(exe, set)
			case "socket":
				text = socketUnit(set)
			default:
				return &usageError{what: "unit", value: quote(args[0]), why: "it must be service or socket"}
			}
			if _, err := t.out.WriteString(text); err != nil {
				return &outputError{err}
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&set.Socket, "socket", "", "where it listens, an absolute `path` (default this user's own)")
	cmd.Flags().StringVar(&set.State, "state", "", "the `directory` for what has to last (default beside the socket, or this user's own)")
	return cmd
}

// serviceUnit names socket and state: it may be started without the socket's unit, and with it the default of the state would be
// beside the socket. What the kernel starts may be many processes, of several users: none of them speaks to systemd for it
// (NotifyAccess), and that one dies of a lack of memory does not end the others. A client may come at any time, however often
// the kernel has ended before: with a limit of starts, systemd would close the socket.
func serviceUnit(exe string, set kernel.Settings) string {
	exe, socket, state := unitWord(exe), unitWord(set.Socket), unitWord(set.State)
	return fmt.Sprintf(`[Unit]
Description=deliveryboy kernel: sockets, values and processes for programs that restart
StartLimitIntervalSec=0

[Service]
Type=notify
NotifyAccess=main
ExecStart=%s kernel serve --socket %s --state %s
ExecReload=%s kernel upgrade --socket %s --binary %s
KillMode=process
Restart=on-failure
RestartSec=1
OOMPolicy=continue
TasksMax=infinity
LimitNOFILE=65536
UMask=0077

[Install]
WantedBy=default.target
Also=deliveryboy-kernel.socket
`, exe, socket, state, exe, socket, exe)
}

func socketUnit(set kernel.Settings) string {
	return fmt.Sprintf(`[Unit]
Description=socket of the deliveryboy kernel

[Socket]
ListenStream=%s
SocketMode=0600
DirectoryMode=0700
RemoveOnStop=yes

[Install]
WantedBy=sockets.target
`, strings.ReplaceAll(set.Socket, "%", "%%"))
}

// unitWord quotes a word of ExecStart: systemd knows double quotes, backslashes, percent signs and dollars.
func unitWord(word string) string {
	word = strings.NewReplacer("%", "%%", "$", "$$", `\`, `\\`, `"`, `\"`).Replace(word)
	if strings.ContainsAny(word, " \t'\";") {
		return `"` + word + `"`
	}
	return word
}
