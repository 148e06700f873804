package xssh

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/sys/unix"
)

// A line is a command that runs on the far side.
type line struct {
	streams [3]*os.File
	clients []*ssh.Client // on the way; the last one is where the command runs
	session *ssh.Session
	work    sync.WaitGroup
}

// run starts the command. Its stdin is copied here, because ssh.Session would wait for the end of that after the command's.
func (l *line) run(ctx context.Context, command string) error {
	var err error
	stop := context.AfterFunc(ctx, func() { _ = l.Close() })
	defer stop()
	if l.session, err = l.clients[len(l.clients)-1].NewSession(); err != nil {
		return err
	}
	in, err := l.session.StdinPipe()
	if err != nil {
		return err
	}
	l.session.Stdout, l.session.Stderr = l.streams[1], l.streams[2]
	if err := l.session.Start(command); err != nil {
		return err
	}
	l.work.Go(func() {
		_, _ = io.Copy(in, l.streams[0])
		_ = in.Close()
	})
	return nil
}

// Wait returns how the command ended.
func (l *line) Wait() (code int, err error) {
	err = l.session.Wait()
	_ = l.Close()
	l.closeStreams()
	l.work.Wait()
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return 0, nil
	case !errors.As(err, &exit):
		return -1, err
	case exit.Signal() != "":
		return 128 + int(unix.SignalNum("SIG"+exit.Signal())), nil
	}
	return exit.ExitStatus(), nil
}

// Close ends the connections. The far side sees the end of stdin. What nobody reads here keeps nobody waiting any more.
func (l *line) Close() error {
	if len(l.clients) == 0 {
		return nil
	}
	err := l.clients[0].Close() // the others go through it
	for _, f := range l.streams[1:] {
		_ = f.SetWriteDeadline(time.Now())
	}
	return err
}

func (l *line) closeStreams() {
	for _, f := range l.streams {
		f.Close()
	}
}
