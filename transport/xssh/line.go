package xssh

import (
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
	client  *ssh.Client
	session *ssh.Session
	work    sync.WaitGroup
}

// run starts the command. Its stdin is copied here, because ssh.Session would wait for the end of that after the command's.
func (l *line) run(command string) error {
	var err error
	if l.session, err = l.client.NewSession(); err != nil {
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

// Close ends the connection. The far side sees the end of stdin. What nobody reads here keeps nobody waiting any more.
func (l *line) Close() error {
	if l.client == nil {
		return nil
	}
	err := l.client.Close()
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
