package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel/holder"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/transport/handover"
)

// A pause is when the server stops between two commands of each connection, so that another program can go on: one that this
// process becomes. What is not in files goes to the holder: connections with what they have read, and the commands that run.

// pauseWait is how long connections have to come to the end of a command. Those that do not, for instance because nobody
// reads what they say, are closed.
const pauseWait = 10 * time.Second

// connKey begins the keys of connections that the holder keeps meanwhile.
const connKey = "connection/"

// A paused is a connection between two programs.
type paused struct {
	conn  *conn // nil in the next program
	files []*os.File

	Peer    handover.Peer
	First   bool // nothing came yet
	Machine bool
	People  bool // of a console
	Bye     bool // the kernel ends with it, because it said exit-if-idle
	Unread  []byte
	Calls   []pausedCall
}

// A pausedCall is a command that goes on in the next program.
type pausedCall struct {
	Tag    string
	Words  []string
	Resume json.RawMessage `json:",omitempty"` // none: it begins anew
}

// requestPause has the server pause and call then, which returns only if this process did not become another program.
func (s *Server) requestPause(then func([]paused) error) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pausing || s.shutting {
		return false
	}
	s.pausing, s.then = true, then
	_ = s.listener.SetDeadline(time.Now())
	for c := range s.conns {
		c.interrupt()
	}
	return true
}

func (s *Server) isPausing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pausing
}

// interrupt wakes a connection, so that it pauses. The caller has the server's lock.
func (c *conn) interrupt() {
	_ = c.nc.SetReadDeadline(time.Now())
	c.pause(errPaused)
}

// change waits until all connections have paused, and calls what follows. If that returns, all goes on here.
func (s *Server) change(ctx context.Context) {
	late := time.AfterFunc(pauseWait, func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for c := range s.conns {
			s.log.Warn("a connection does not come to rest, and is closed", "uid", c.peer.UID, "pid", c.peer.PID)
			c.nc.Close()
		}
	})
	s.work.Wait()
	late.Stop()
	s.mu.Lock()
	list, then := s.parked, s.then
	s.parked, s.then = nil, nil
	s.mu.Unlock()
	err := then(list)
	s.log.Error("the server could not become another program; it goes on", "error", err)
	s.mu.Lock()
	s.pausing = false
	if !s.shutting { // else it is to wake at once
		_ = s.listener.SetDeadline(time.Time{})
	}
	s.mu.Unlock()
	if s.options.Link.Lost() {
		defer s.lostHolder()
	}
	for _, p := range list {
		_ = s.options.Link.Drop(p.key())
		for _, f := range p.files {
			f.Close()
		}
		p.noteFailure(err)
		s.resume(ctx, p, p.conn.nc)
	}
}

// park takes a connection that has paused.
func (s *Server) park(c *conn) {
	p := paused{conn: c, Peer: c.peer, First: c.first, Machine: c.machine, People: c.people, Calls: c.parked}
	if c.pushed != nil { // a line that was to be handled after a command that has paused
		p.Unread = append([]byte(line.Join(c.pushed...)), '\n')
	}
	p.Unread = append(p.Unread, c.reader.Unread()...)
	s.mu.Lock()
	defer s.mu.Unlock()
	p.Bye = s.goodbye == c
	s.parked = append(s.parked, p)
}

func (p *paused) key() string { return fmt.Sprintf("%s%p", connKey, p.conn) }

// deposit gives paused connections to the holder.
func (s *Server) deposit(list []paused) error {
	for i := range list {
		p := &list[i]
		file, err := p.conn.nc.File()
		if errors.Is(err, net.ErrClosed) { // it did not come to rest in time
			continue
		}
		var note *os.File
		if err == nil {
			p.files = []*os.File{file}
			note, err = holder.Blob("connection", p)
		}
		if err == nil {
			p.files = []*os.File{file, note}
			err = s.options.Link.Keep(holder.Held{Key: p.key(), Files: p.files})
		}
		if err != nil {
			return fmt.Errorf("kernel: a connection cannot be kept: %w", err)
		}
	}
	return nil
}

// restoreConnections goes on with connections that another program had paused.
func (s *Server) restoreConnections(ctx context.Context) {
	for _, h := range s.options.Past.Held {
		if !strings.HasPrefix(h.Key, connKey) {
			continue
		}
		_ = s.options.Link.Drop(h.Key)
		p, nc, err := parsePaused(h)
		if err != nil {
			s.log.Error("a connection is lost", "error", err)
			continue
		}
		s.resume(ctx, p, nc)
	}
}

func parsePaused(h holder.Held) (p paused, nc *net.UnixConn, err error) {
	defer func() {
		for _, f := range h.Files {
			f.Close()
		}
	}()
	if len(h.Files) != 2 {
		return p, nil, fmt.Errorf("%d of its 2 descriptors are there", len(h.Files))
	}
	if _, err := h.Files[1].Seek(0, 0); err != nil {
		return p, nil, err
	}
	if err := json.NewDecoder(h.Files[1]).Decode(&p); err != nil {
		return p, nil, err
	}
	any, err := net.FileConn(h.Files[0])
	if err != nil {
		return p, nil, err
	}
	nc, ok := any.(*net.UnixConn)
	if !ok {
		any.Close()
		return p, nil, fmt.Errorf("it is no unix socket")
	}
	return p, nc, nil
}

// resume goes on with a connection.
func (s *Server) resume(ctx context.Context, p paused, nc *net.UnixConn) {
	c, err := newConn(s, nc, p.Peer)
	if err != nil {
		nc.Close()
		s.log.Error("a connection is lost", "error", err)
		return
	}
	_ = nc.SetReadDeadline(time.Time{})
	c.first, c.machine, c.people, c.greeted = p.First, p.Machine, p.People, true
	c.read(p.Unread)
	s.mu.Lock()
	s.perUID[p.Peer.UID]++
	s.conns[c] = struct{}{}
	if p.Bye {
		s.goodbye = c
	}
	s.catchUp(c)
	s.mu.Unlock()
	s.work.Go(func() {
		defer s.forget(c)
		c.serve(ctx, p.Calls...)
	})
}
