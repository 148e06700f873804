package process

import (
	"context"
	"io"
	"os"
	"os/exec"

	"github.com/seed354a1416/deliveryboy/box"
)

// A Host is where processes run: the zero value is this process's machine, with its rights.
type Host struct{ courier box.Courier }

// On returns the far side of a courier: a *session.Session, a delivery.Once, a pool or whatever delivers. Nil is here.
//
// Each process is one delivered call of the function that [Register] registers. Through a delivery.Once it has a worker of
// its own.
func On(c box.Courier) Host { return Host{c} }

// New prepares a process without starting it, so that one can subscribe to all of its events. At most one Stdio is taken.
func (h Host) New(cfg Config, stdio ...Stdio) (*Process, error) {
	p, err := newProcess(h, cfg, stdio)
	if err != nil {
		return nil, err
	}
	return p, nil
}

// Start starts a process. ctx is for the start alone.
func (h Host) Start(ctx context.Context, cfg Config, stdio ...Stdio) (*Process, error) {
	p, err := h.New(cfg, stdio...)
	if err != nil {
		return nil, err
	}
	if err := p.Start(ctx); err != nil {
		return nil, err
	}
	return p, nil
}

// LookPath finds a program there, in the PATH of whoever starts processes there, as exec.LookPath does.
func (h Host) LookPath(ctx context.Context, file string) (string, error) {
	if h.courier == nil {
		return exec.LookPath(file)
	}
	a, err := h.ask(ctx, task{Ask: askPath, Config: Config{Argv: []string{file}}})
	return a.Path, err
}

// Environ is the environment of whoever starts processes there.
func (h Host) Environ(ctx context.Context) ([]string, error) {
	if h.courier == nil {
		return os.Environ(), nil
	}
	a, err := h.ask(ctx, task{Ask: askEnviron})
	return a.Env, err
}

// ask asks the far side for something that is no process.
func (h Host) ask(ctx context.Context, t task) (answer report, err error) {
	f, err := farFunction()
	if err != nil {
		return answer, err
	}
	reports, over := make(chan report, 1), make(chan struct{})
	go func() {
		defer close(over)
		_, err = f.On(h.courier)(ctx, t, nil, nil, nil, nil, reports)
	}()
	<-over
	if err != nil {
		return answer, err
	}
	select {
	case answer = <-reports:
		return answer, nil
	default:
		return answer, io.ErrUnexpectedEOF
	}
}

func (h Host) start(ctx context.Context, p *Process) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if h.courier == nil {
		return startLocal(p)
	}
	return startFar(ctx, p)
}

// dir is where a process is started, as far as that is known here.
func (h Host) dir(c Config) string {
	if c.Dir != "" || h.courier != nil {
		return c.Dir
	}
	dir, err := os.Getwd() // $PWD, if it is right
	if err != nil {
		return ""
	}
	return dir
}
