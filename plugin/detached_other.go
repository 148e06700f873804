//go:build !linux

package plugin

import (
	"context"
	"errors"
	"syscall"
)

// errLinux is why a plugin cannot be detached here: without pidfds nobody could come back to the right process for sure.
var errLinux = errors.New("plugin: a detached plugin needs Linux")

func startDetached(context.Context, order) (Record, error) { return Record{}, errLinux }

type process struct{ ended chan struct{} }

func openProcess(int, uint64) (*process, error) { return nil, errLinux }

func (p *process) kill() error { return errLinux }
func (p *process) close()      {}

func isPlugin(int) bool { return false }

func bootOf() (string, error) { return "", errLinux }

func peerOf(syscall.RawConn) (pid, uid int, err error) { return 0, 0, errLinux }
