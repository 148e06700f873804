//go:build linux

package serve

import (
	"context"
	"fmt"
	"net"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var hoard = registry.Register("hoard", holdConnections)

// holdConnections opens connections that say nothing, and keeps them until it is cancelled.
func holdConnections(ctx context.Context, path string, n int) error {
	for range n {
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			return err
		}
		defer conn.Close()
	}
	fmt.Fprintln(delivery.Stdout(ctx), "running")
	<-ctx.Done()
	return nil
}

// hoardAs has another user hold silent connections, until the test ends, or release is called.
func hoardAs(t *testing.T, user, path string, n int) (release func()) {
	t.Helper()
	out := watch("running")
	s, err := delivery.Open(limited(t), transport.Sudo{User: user}, session.Options{Stdout: out})
	must(t, err)
	ctx, cancel := context.WithCancel(limited(t))
	done := make(chan error, 1)
	go func() { done <- hoard.On(s)(ctx, path, n) }()
	select {
	case <-out.found:
	case err := <-done:
		t.Fatalf("it ended: %v", err)
	}
	release = sync.OnceFunc(func() {
		cancel()
		<-done
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	t.Cleanup(release)
	return release
}

// TestAGuestKeepsNobodyOut: whatever a guest holds, it is half, and only as long as nobody else wants it if it says nothing.
func TestAGuestKeepsNobodyOut(t *testing.T) {
	st.NeedSudo(t)
	st.NeedSecond(t)
	srv := serve(t, settings{Options: delivery.ServeOptions{Users: []string{st.Second}, Connections: 8, Patience: 10 * time.Minute}})
	guest := transport.Chain{transport.Sudo{User: st.Second}, transport.Socket{Path: srv.path, User: st.User}}
	t.Run("silent", func(t *testing.T) {
		release := hoardAs(t, st.Second, srv.path, 50)
		for range 6 { // sessions, so that there are more than half
			open(t, srv.via())
		}
		_, err := whoami.On(delivery.Once{Via: guest})()
		must(t, err)
		srv.Wait(t, "msg=busy", "peer.uid="+itoa(st.SecondUID), "while others waited")
		release()
	})
	t.Run("at work", func(t *testing.T) {
		callsAgain(t, srv) // those of before are gone
		for range 4 {
			for deadline := time.Now().Add(tooLong); ; time.Sleep(5 * time.Millisecond) {
				s, err := delivery.Open(limited(t), guest)
				if err == nil {
					defer func() { must(t, s.Close()) }()
					break
				}
				if time.Now().After(deadline) {
					t.Fatal(err)
				}
			}
		}
		_, err := whoami.On(delivery.Once{Via: guest})()
		refused(t, err, "busy: 4 connections of yours are open", transport.ReasonRefused)
		for range 3 {
			callsAgain(t, srv)
		}
	})
}

// TestAFloodIsNotWritten: of a flood that is turned away the log has a few lines, and how many more there were.
func TestAFloodIsNotWritten(t *testing.T) {
	st.NeedSudo(t)
	st.NeedSecond(t)
	const many = 300
	srv := serve(t, settings{Options: delivery.ServeOptions{Socket: openDir(t)}})
	must(t, os.Chmod(srv.path, 0o666))
	hoardAs(t, st.Second, srv.path, many)()
	must(t, srv.Cmd.Process.Signal(syscall.SIGTERM))
	said := srv.Rest()
	written := strings.Count(said, "msg=refused")
	all := written
	for _, left := range regexp.MustCompile(`msg="more of these" peer="uid \d+" "left out"=(\d+)`).FindAllStringSubmatch(said, -1) {
		n, err := strconv.Atoi(left[1])
		must(t, err)
		all += n
	}
	if all != many || written > many/2 {
		t.Errorf("%d of %d are accounted for, %d have a line", all, many, written)
	}
}
