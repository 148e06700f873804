package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/store"
)

const (
	maxOrder    = 256              // bytes of an order
	maxConns    = 1024             // that are served at once
	orderWait   = 10 * time.Second // for an order to come, and for its answer to be taken
	acceptPause = 50 * time.Millisecond
)

// A control is the socket of a keeper. Who connects says one line: "follow", and then gets a byte whenever there is
// something new, until the job has ended; or an order, and gets one line of JSON.
type control struct {
	keeper   *keeper
	listener *net.UnixListener
	work     sync.WaitGroup
	ctx      context.Context // ends with the control
	stop     context.CancelFunc

	mu        sync.Mutex // guards what follows
	followers map[chan struct{}]bool
}

// address is a socket in a directory, however long its path is; release it when it was used.
func address(dir *os.Root) (name string, release func() error, err error) {
	d, err := dir.Open(".")
	if err != nil {
		return "", nil, err
	}
	return fmt.Sprintf("/proc/self/fd/%d/%s", d.Fd(), store.ControlFile), d.Close, nil
}

func listen(k *keeper) (*control, error) {
	_ = k.job.Dir.Remove(store.ControlFile)
	name, release, err := address(k.job.Dir)
	if err != nil {
		return nil, err
	}
	defer release() //nolint:errcheck // a directory
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	if err != nil {
		return nil, k.job.Failed(err)
	}
	l.SetUnlinkOnClose(false) // its name is no more good then
	c := &control{keeper: k, listener: l, followers: map[chan struct{}]bool{}}
	c.ctx, c.stop = context.WithCancel(context.Background())
	c.work.Go(c.accept)
	return c, nil
}

// close ends all connections and waits for those who serve them.
func (c *control) close() {
	c.stop()
	_ = c.listener.Close()
	_ = c.keeper.job.Dir.Remove(store.ControlFile)
	c.work.Wait()
}

// changed tells the followers that there is something new.
func (c *control) changed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for f := range c.followers {
		select {
		case f <- struct{}{}:
		default: // it knows
		}
	}
}

func (c *control) accept() {
	turns := make(chan struct{}, maxConns)
	for {
		conn, err := c.listener.AcceptUnix()
		switch {
		case err == nil:
		case c.ctx.Err() != nil:
			return
		default: // no descriptors left, for instance: later there may be
			pause(c.ctx, acceptPause)
			continue
		}
		select {
		case turns <- struct{}{}:
			c.work.Go(func() { c.serve(conn); <-turns })
		default:
			_ = conn.Close()
		}
	}
}

// serve serves one connection. Its reads end with the control; an order that was obeyed gets its answer, even if the job
// ends by it.
func (c *control) serve(conn *net.UnixConn) {
	defer conn.Close()
	if !sameUser(conn) {
		return
	}
	_ = conn.SetDeadline(time.Now().Add(orderWait))
	unhook := context.AfterFunc(c.ctx, func() { _ = conn.SetReadDeadline(time.Now()) })
	defer unhook()
	line, err := bufio.NewReaderSize(io.LimitReader(conn, maxOrder), maxOrder).ReadString('\n')
	if err != nil || c.ctx.Err() != nil {
		return
	}
	order := strings.TrimSuffix(line, "\n")
	if order == "follow" {
		c.follow(conn)
		return
	}
	answer, err := json.Marshal(c.obey(order))
	_ = conn.SetWriteDeadline(time.Now().Add(orderWait))
	if err == nil {
		_, _ = conn.Write(append(answer, '\n'))
	}
}

// sameUser reports whether the other end is of the user of this process, or root.
func sameUser(conn *net.UnixConn) bool {
	raw, err := conn.SyscallConn()
	if err != nil {
		return false
	}
	same := false
	err = raw.Control(func(fd uintptr) {
		peer, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		same = err == nil && (int(peer.Uid) == os.Geteuid() || peer.Uid == 0)
	})
	return err == nil && same
}

// follow writes a byte whenever there is something new. When the job has ended the connection does.
func (c *control) follow(conn *net.UnixConn) {
	news := make(chan struct{}, 1)
	news <- struct{}{} // it begins with a look
	c.mu.Lock()
	c.followers[news] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.followers, news)
		c.mu.Unlock()
	}()
	_ = conn.SetDeadline(time.Time{})
	unhook := context.AfterFunc(c.ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer unhook()
	left := make(chan struct{})
	c.work.Go(func() { // ends when either side closes
		defer close(left)
		_, _ = io.Copy(io.Discard, conn)
	})
	for {
		select {
		case <-news:
			if _, err := conn.Write([]byte{'.'}); err != nil {
				return
			}
		case <-left:
			return
		case <-c.ctx.Done():
			return
		}
	}
}

// An Answer is what a keeper says to an order.
type Answer struct {
	Fault []byte `json:",omitempty"` // see box.DecodeFault
	Stats *Stats `json:",omitempty"`
	Dump  string `json:",omitempty"`
}

// obey carries out an order.
func (c *control) obey(order string) Answer {
	ctx, cancel := context.WithTimeout(c.ctx, orderWait)
	defer cancel()
	verb, arg, _ := strings.Cut(order, " ")
	if verb != "cancel" {
		c.keeper.arrive(ctx)
	}
	var a Answer
	var err error
	switch verb {
	case "cancel":
		c.keeper.cancel(errCancelled)
	case "signal":
		var n int
		if n, err = strconv.Atoi(arg); err == nil {
			err = c.keeper.signal(syscall.Signal(n))
		}
	case "suspend":
		err = c.keeper.each(syscall.SIGSTOP)
	case "resume":
		err = c.keeper.each(syscall.SIGCONT)
	case "stats":
		a.Stats = c.keeper.stats()
	case "dump":
		a.Dump, err = c.keeper.dump(ctx)
	default:
		err = fmt.Errorf("no such order: %.40q", verb)
	}
	if err != nil {
		a.Fault = box.EncodeFault(box.FaultOf(err))
	}
	return a
}
