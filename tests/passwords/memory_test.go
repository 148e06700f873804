//go:build linux

package passwords

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// memory returns which of some processes have a secret in their memory.
var memory = registry.Register("passwords.memory", func(pids []int, s box.Secret[string]) (hits []int, err error) {
	for _, pid := range pids {
		has, err := holds(pid, []byte(s.Reveal()))
		if err != nil {
			return hits, err
		}
		if has {
			hits = append(hits, pid)
		}
	}
	return hits, nil
})

// holds looks through all that a process can write to.
func holds(pid int, secret []byte) (bool, error) {
	maps, err := os.Open(fmt.Sprintf("/proc/%d/maps", pid))
	if err != nil {
		return false, err
	}
	defer maps.Close()
	mem, err := os.Open(fmt.Sprintf("/proc/%d/mem", pid))
	if err != nil {
		return false, err
	}
	defer mem.Close()
	buf := make([]byte, 1<<20)
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var from, to int64
		var mode string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s", &from, &to, &mode); err != nil || !strings.HasPrefix(mode, "rw") || to-from > 1<<27 {
			continue // what is as large is the race detector's
		}
		for at := from; at < to; at += int64(len(buf) - len(secret)) {
			n, _ := mem.ReadAt(buf[:min(int64(len(buf)), to-at)], at) // what was never touched may not be there
			if bytes.Contains(buf[:n], secret) {
				return true, nil
			}
		}
	}
	return false, nil
}

// TestThePasswordIsNotInMemory, while a function runs, of the worker, its guardian, or what has answered su and doas; nor
// has it come along on the worker's stdin.
func TestThePasswordIsNotInMemory(t *testing.T) {
	accounts(t)
	st.NeedSSH(t)
	doasRules(t, "permit "+st.User+" as root")
	st.Root.SetSudoers(t, st.User+" ALL=(root) ALL\n"+st.User+" ALL=(root) NOPASSWD: "+st.Binary+" __deliver passwords.memory\n")
	record := filepath.Join(t.TempDir(), "stdin")
	tee := transport.Command{Prefix: []string{"/bin/sh", "-c", `umask 0; tee ` + record + ` | "$@"`, "sh"}}
	sudo := transport.Sudo{ResetTicket: true}
	for _, c := range []struct {
		via    transport.Chain
		secret string
	}{
		{transport.Chain{transport.Su{User: st.Second, Login: true}}, secondsPassword},
		{transport.Chain{withPassword(), sudo}, st.Password}, {transport.Chain{withKey(), transport.Su{}}, rootsPassword},
		{transport.Chain{sudo, tee}, st.Password}, {transport.Chain{transport.Doas{}, tee}, st.Password}, {transport.Chain{transport.Su{}, tee}, rootsPassword},
	} {
		s, err := delivery.Open(limited(t), c.via, session.Options{Ask: gives(c.secret).ask})
		if err != nil {
			t.Fatalf("%v: %+v", c.via, err)
		}
		ctx, cancel := context.WithCancel(limited(t))
		err = hold.On(s)(ctx, func() error {
			defer cancel()
			own, others := os.Getpid(), workers(t)
			hits, err := memory.On(delivery.Once{Via: transport.Sudo{}})(append(others, own), box.NewSecret(c.secret))
			if err != nil || len(others) == 0 || !slices.Equal(hits, []int{own}) { // this one has it: the search finds what is there
				t.Errorf("%v: it is in %v, of %v and %d, %v", c.via, hits, others, own, err)
			}
			return nil
		})
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%v: %+v", c.via, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if c.via[len(c.via)-1].String() != tee.String() {
			continue
		}
		text, err := os.ReadFile(record)
		if err != nil || len(text) == 0 || contains(text, c.secret) {
			t.Errorf("%v: %v, %d bytes on stdin", c.via, err, len(text))
		}
		if err := os.Remove(record); err != nil {
			t.Error(err)
		}
	}
}

// workers are the processes of a call that runs: worker, guardian, and what has answered for it.
func workers(t *testing.T) (pids []int) {
	t.Helper()
	list, err := st.Root.Processes()
	if err != nil {
		t.Error(err)
	}
	for _, p := range list {
		mine := len(p.Argv) > 1 && (p.Argv[0] == st.Binary && p.Argv[1] == "__deliver" || strings.HasSuffix(p.Argv[0], "-terminal"))
		if mine && p.State != "Z" {
			pids = append(pids, p.PID)
		}
	}
	return pids
}
