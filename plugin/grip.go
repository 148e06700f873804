package plugin

import (
	"context"
	"fmt"
	"net"
	"os"

	"github.com/seed354a1416/deliveryboy/box"
)

func init() { box.RegisterSentinel("plugin.ErrGone", ErrGone) }

// A grip is a hold on the process of a record: nobody else has its number while there is one.
type grip interface {
	over() <-chan struct{} // closed when the process has ended
	lost() <-chan struct{} // closed when it cannot be seen any more whether it has; may be nil
	kill() error           // sends SIGKILL to it
	dial(ctx context.Context) (net.Conn, error)
	why() error // what is known of a connection that failed, and gRPC does not tell; may be nil
	close()     // lets go of it, after connections
}

// own is a grip on a process of this machine.
type own struct {
	record  Record
	process *process
}

// holdOwn finds the process of a record on this machine.
func holdOwn(r Record) (*own, error) {
	boot, err := bootOf()
	switch {
	case err != nil:
		return nil, err
	case boot != r.Boot:
		return nil, fmt.Errorf("%w: the machine has booted since, or is another one", ErrGone)
	}
	p, err := openProcess(r.PID, r.Started)
	if err != nil {
		return nil, err
	}
	return &own{record: r, process: p}, nil
}

// holdMine finds the process of a record for a caller of this worker. It has to be a detached plugin of this user: a record
// that names another process would lend the caller this user's hand to kill it, or to reach its socket.
func holdMine(r Record) (*own, error) {
	o, err := holdOwn(r)
	if err == nil && !isPlugin(r.PID) {
		o.close()
		return nil, fmt.Errorf("%w: process %d is no plugin of user %d", ErrGone, r.PID, os.Geteuid())
	}
	return o, err
}

func (o *own) over() <-chan struct{} { return o.process.ended }
func (o *own) lost() <-chan struct{} { return nil }
func (o *own) kill() error           { return o.process.kill() }
func (o *own) why() error            { return nil }
func (o *own) close()                { o.process.close() }

// dial connects with the plugin, if it is the record's own process that listens.
func (o *own) dial(ctx context.Context) (net.Conn, error) {
	var d net.Dialer
	c, err := d.DialContext(ctx, o.record.Network, o.record.Address)
	if err != nil {
		return nil, err
	}
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err == nil {
		var pid, uid int
		if pid, uid, err = peerOf(raw); err == nil && (pid != o.record.PID || uid != o.record.UID) {
			err = fmt.Errorf("%w: process %d of user %d listens at its address", ErrGone, pid, uid)
		}
	}
	if err != nil {
		_ = c.Close()
		return nil, err
	}
	return c, nil
}
