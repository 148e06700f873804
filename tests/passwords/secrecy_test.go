//go:build linux

package passwords

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var hold = registry.Register("passwords.hold", func(ctx context.Context, ready func() error) error {
	slog.Info("holding")
	if err := ready(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
})

// TestThePasswordIsNowhere looks for a password while sudo checks it, which takes a while if it is wrong: in the arguments
// and the environment of all processes, and afterwards in all that the call said.
func TestThePasswordIsNowhere(t *testing.T) {
	needsSSH(t)
	st.NeedSecond(t)
	doasRules(t, "permit "+st.User+" as root")
	rules(t, "")
	var calls sync.WaitGroup
	for _, via := range []transport.Transport{
		transport.Sudo{ResetTicket: true}, transport.Chain{withKey(), transport.Sudo{ResetTicket: true}},
		transport.Su{User: st.Second}, transport.Chain{withKey(), transport.Su{}}, transport.Doas{},
	} {
		k := &keeper{answer: func(context.Context, password.Prompt) (string, error) {
			helperIsShut(t, via)
			return canary, nil
		}}
		calls.Go(func() {
			_, err := look.On(delivery.Once{Via: via, Ask: k.ask})()
			var e *box.TransportError
			if !errors.As(err, &e) || len(k.asked()) != 1 {
				t.Errorf("%v: %v, asked %v", via, err, k.asked())
			}
			for _, text := range []string{fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
				if strings.Contains(text, canary) {
					t.Error(text)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() {
		calls.Wait()
		close(done)
	}()
	for looks := 1; ; looks++ {
		lookFor(t, canary)
		select {
		case <-done:
			t.Logf("looked %d times", looks)
			return
		default:
		}
	}
}

// TestThePasswordDoesNotStay looks for the right one while a function runs, and in logs, traces and core files.
func TestThePasswordDoesNotStay(t *testing.T) {
	needsSSH(t)
	doasRules(t, "permit "+st.User+" as root")
	rules(t, "Defaults log_output, iolog_dir=/var/log/passwords/io, logfile=/var/log/passwords.log")
	var logged, out bytes.Buffer
	o := session.Options{
		Ask: gives(st.Password).ask, Log: slog.NewTextHandler(&logged, nil), Stdout: &out, Stderr: &out, KeepExcess: true,
	}
	for _, via := range []transport.Transport{
		transport.Sudo{ResetTicket: true}, transport.Chain{withPassword(), transport.Sudo{ResetTicket: true}}, transport.Doas{},
	} {
		s, err := delivery.Open(limited(t), via, o)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		ctx, cancel := context.WithCancel(limited(t))
		err = hold.On(s)(ctx, func() error { lookFor(t, st.Password); cancel(); return nil })
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("%+v", err)
		}
		text := fmt.Sprintf("%+v %#v %v", s, o, o)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		sshd, err := os.ReadFile(st.SSHDLog)
		if err != nil {
			t.Error(err)
		}
		for what, b := range map[string][]byte{"log": logged.Bytes(), "output": out.Bytes(), "dump": []byte(text), "sshd": sshd} {
			if contains(b, st.Password) {
				t.Errorf("%s has the password", what)
			}
		}
		if logged.Len() == 0 {
			t.Error("nothing was logged")
		}
	}
	st.Root.SetSudoers(t, st.Rules)
	for _, dir := range []string{"/var/log", "/tmp", "/var/tmp"} {
		files, n, err := search.On(delivery.Once{Via: transport.Sudo{}})(dir, box.NewSecret(st.Password))
		if err != nil || len(files) > 0 || n == 0 && dir == "/var/log" {
			t.Errorf("in %s, of %d files, the password is in %q, %v", dir, n, files, err)
		}
	}
}

// search returns the files below a directory that hold a secret, and how many it has looked at.
var search = registry.Register("passwords.search", func(dir string, s box.Secret[string]) (hits []string, n int, err error) {
	err = filepath.WalkDir(dir, func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		n++
		text, err := os.ReadFile(path)
		if err == nil && contains(text, s.Reveal()) {
			hits = append(hits, path)
		}
		return err
	})
	return hits, n, err
})

// lookFor looks for a secret in the arguments and the environment of every process.
func lookFor(t *testing.T, secret string) {
	t.Helper()
	list, err := st.Root.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range list {
		for _, file := range []string{"cmdline", "environ"} {
			text, err := st.Root.ReadFile(fmt.Sprintf("/proc/%d/%s", p.PID, file))
			if err == nil && contains(text, secret) { // with an error it is gone
				t.Errorf("%s of %d (%q) has the password", file, p.PID, p.Argv)
			}
		}
	}
}

func contains(text []byte, secret string) bool {
	return bytes.Contains(text, []byte(secret)) ||
		bytes.Contains(text, []byte(strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(secret)), "=")))
}

// helperIsShut makes sure that the programs that ask leave no core file, and let nobody look into them.
func helperIsShut(t *testing.T, via transport.Transport) {
	list, err := st.Root.Processes()
	if err != nil {
		t.Error(err)
	}
	n := 0
	for _, p := range list {
		name := ""
		if len(p.Argv) > 0 && p.State != "Z" {
			name = filepath.Base(p.Argv[0])
		}
		if name != "deliveryboy-askpass" && name != "deliveryboy-terminal" {
			continue
		}
		n++
		for began := time.Now(); ; <-time.After(time.Millisecond) { // one that another call has just started is open at first
			if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.PID)); err != nil {
				break
			}
			if time.Since(began) > 3*time.Minute {
				t.Errorf("%v: this user can look into %q", via, p.Argv)
				break
			}
		}
		if name == "deliveryboy-terminal" {
			continue // a limit would be the worker's, too; a process that nobody may look into leaves no core file
		}
		limits, err := st.Root.ReadFile(fmt.Sprintf("/proc/%d/limits", p.PID))
		if err == nil && !bytes.Contains(limits, []byte("Max core file size        0 ")) { // with an error it is gone
			t.Errorf("%v: %s", via, limits)
		}
	}
	if n == 0 {
		t.Errorf("%v: nobody asks while a question is put", via)
	}
}
