package askpass

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// A Question is what sudo or ssh asks.
type Question struct {
	Text string // as it would stand before a person, at most 4 KiB
	Hint string // what ssh wants with it: "confirm" for yes or no, "none" for nothing; empty for a secret
}

// An Answerer answers a question, with one line; the desk wipes it. ctx ends when the one who asks is gone, or the desk
// is closed; an Answerer that does not heed it is not waited for.
type Answerer func(ctx context.Context, q Question) ([]byte, error)

// A Desk answers the questions of helpers. It belongs to one way to one worker.
type Desk struct {
	dir    string
	lock   *os.File // of dir
	socket net.Listener
	answer Answerer
	stop   context.CancelFunc
	work   sync.WaitGroup

	mu    sync.Mutex    // guards what follows
	root  int           // the process below which helpers have to be; 0: any of this user
	known chan struct{} // closed when root is
}

// Open opens a desk. Questions wait until Admit.
func Open(ctx context.Context, answer Answerer) (*Desk, error) {
	dir, lock, err := place()
	if err != nil {
		return nil, fmt.Errorf("askpass: %w", err)
	}
	d := &Desk{dir: dir, lock: lock, answer: answer, known: make(chan struct{})}
	d.socket, err = (&net.ListenConfig{}).Listen(ctx, "unix", filepath.Join(dir, socketName))
	if err == nil {
		err = furnish(dir)
	}
	if err != nil {
		if d.socket != nil {
			d.socket.Close()
		}
		os.RemoveAll(dir)
		lock.Close()
		return nil, fmt.Errorf("askpass: %w", err)
	}
	ctx, d.stop = context.WithCancel(ctx)
	d.work.Go(func() { d.serve(ctx) })
	return d, nil
}

// Helper is the file that sudo or ssh has to start.
func (d *Desk) Helper() string { return filepath.Join(d.dir, helperName) }

// Expect makes questions wait for the next Admit: another process will be started, and may ask before its id is known.
func (d *Desk) Expect() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = make(chan struct{})
}

// Admit says of which process the descendants are answered, where that can be told; 0 stands for all of this user. It
// comes once, and once after each Expect.
func (d *Desk) Admit(pid int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.root = pid
	close(d.known)
}

// admitted waits until it is known of which process the descendants are answered.
func (d *Desk) admitted(ctx context.Context) (root int, err error) {
	d.mu.Lock()
	known := d.known
	d.mu.Unlock()
	select {
	case <-known:
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.root, nil
}

// Close ends all questions without an answer and takes the desk away.
func (d *Desk) Close() {
	d.stop()
	d.socket.Close()
	d.work.Wait()
	os.RemoveAll(d.dir)
	d.lock.Close()
}

func (d *Desk) serve(ctx context.Context) {
	for {
		c, err := d.socket.Accept()
		if err != nil {
			return // closed
		}
		d.work.Go(func() {
			defer c.Close()
			d.attend(ctx, c.(*net.UnixConn)) //nolint:errcheck // the socket is one
		})
	}
}

// attend answers one helper.
func (d *Desk) attend(ctx context.Context, c *net.UnixConn) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { c.Close() })
	defer stop()
	_ = c.SetDeadline(time.Now().Add(promptly))
	if d.check(ctx, c) != nil {
		return
	}
	text, err := receive(c)
	if err != nil {
		return
	}
	_ = c.SetReadDeadline(time.Time{})
	go func() { // ends when either side closes the connection, as attend does at its end
		_, _ = c.Read(make([]byte, 1))
		cancel()
	}()
	var q Question
	q.Hint, q.Text, _ = strings.Cut(text, "\x00")
	answer, err := d.ask(ctx, q)
	defer clear(answer)
	if err != nil || len(answer) > maxAnswer || bytes.ContainsAny(answer, "\r\n\x00") {
		return
	}
	_ = c.SetWriteDeadline(time.Now().Add(promptly))
	_, _ = c.Write(answer)
}

// ask waits for the answer no longer than somebody waits for it here.
func (d *Desk) ask(ctx context.Context, q Question) ([]byte, error) {
	type reply struct {
		answer []byte
		err    error
	}
	done := make(chan reply, 1)
	go func() { // ends with the Answerer, which may take longer than anybody waits
		answer, err := d.answer(ctx, q)
		done <- reply{answer, err}
	}()
	select {
	case r := <-done:
		return r.answer, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// check refuses whoever is not this user, or not below the process that was started.
func (d *Desk) check(ctx context.Context, c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	uid, pid, failed := -1, 0, error(nil)
	if err := raw.Control(func(fd uintptr) { uid, pid, failed = peer(int(fd)) }); err != nil {
		return err
	}
	if failed != nil {
		return failed
	}
	if uid != os.Getuid() {
		return fmt.Errorf("user %d asks", uid)
	}
	root, err := d.admitted(ctx)
	if err == nil && root > 0 && pid > 0 && !descends(pid, root) {
		err = errors.New("a process asks that has nothing to do with it")
	}
	return err
}
