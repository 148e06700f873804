package plugin

import (
	"errors"
	"fmt"
	"net"

	goplugin "github.com/hashicorp/go-plugin"
)

// ErrGone is found in the error of [Reattach] when the plugin of a record is no more: its process has ended, another has
// its number, the machine has booted since, or it is another machine.
var ErrGone = errors.New("plugin: the plugin of this record is gone")

// A Record says where a detached plugin is and which one it is. It is plain data: keep it as JSON, or in a gob.
type Record struct {
	Set      string `json:"set"`
	ID       string `json:"id"` // another for every start
	Protocol string `json:"protocol"`
	Version  int    `json:"version"`
	Network  string `json:"network"`
	Address  string `json:"address"`

	PID     int    `json:"pid"`
	Started uint64 `json:"started"` // when the process started, in clock ticks since the boot; see proc_pid_stat(5)
	Boot    string `json:"boot"`    // which boot of which machine
	UID     int    `json:"uid"`
	Host    string `json:"host"`
	Log     string `json:"log,omitempty"` // the file with its output; empty if there is none
}

// ReattachConfig is the record as go-plugin has it, for a host that does not use this package. Such a host knows the
// process by its number alone. On this machine, and as the same user, it needs nothing else.
func (r Record) ReattachConfig() *goplugin.ReattachConfig {
	return &goplugin.ReattachConfig{
		Protocol: goplugin.Protocol(r.Protocol), ProtocolVersion: r.Version, Pid: r.PID,
		Addr: &net.UnixAddr{Net: r.Network, Name: r.Address},
	}
}

// check refuses what no plugin of this package can have written.
func (r *Record) check() error {
	switch {
	case r.Protocol != string(goplugin.ProtocolGRPC) || r.Network != "unix":
		return fmt.Errorf("protocol %q over %q: it must be grpc over unix", r.Protocol, r.Network)
	case r.Address == "" || r.ID == "" || r.Boot == "":
		return errors.New("it has no address, no id or no boot")
	case r.PID <= 1:
		return fmt.Errorf("process %d: that is no plugin", r.PID)
	}
	return nil
}

func (r *Record) String() string {
	return fmt.Sprintf("plugins %q, version %d, pid %d on %s", r.Set, r.Version, r.PID, r.Host)
}
