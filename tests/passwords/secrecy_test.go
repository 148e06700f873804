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
	"testing"

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
	rules(t, "")
	for _, via := range []transport.Transport{
		transport.Sudo{ResetTicket: true}, transport.Chain{withKey(), transport.Sudo{ResetTicket: true}},
	} {
		given := make(chan struct{})
		k := &keeper{answer: func(context.Context, password.Prompt) (string, error) {
			helperIsShut(t, via)
			close(given)
			return canary, nil
		}}
		done := make(chan error, 1)
		go func() {
			_, err := look.On(delivery.Once{Via: via, Ask: k.ask})()
			done <- err
		}()
		<-given
		var err error
		for looks := 0; err == nil; looks++ {
			lookFor(t, canary)
			select {
			case err = <-done:
				t.Logf("%v: looked %d times", via, looks)
			default:
			}
		}
		for _, text := range []string{fmt.Sprintf("%+v", err), fmt.Sprintf("%#v", err)} {
			if strings.Contains(text, canary) {
				t.Error(text)
			}
		}
		var e *box.TransportError
		if !errors.As(err, &e) {
			t.Errorf("%v", err)
		}
	}
}

// TestThePasswordDoesNotStay looks for the right one while a function runs, and in logs, traces and core files.
func TestThePasswordDoesNotStay(t *testing.T) {
	needsSSH(t)
	rules(t, "Defaults log_output, iolog_dir=/var/log/passwords/io, logfile=/var/log/passwords.log")
	var logged, out bytes.Buffer
	o := session.Options{
		Ask: gives(st.Password).ask, Log: slog.NewTextHandler(&logged, nil), Stdout: &out, Stderr: &out, KeepExcess: true,
	}
	for _, via := range []transport.Transport{
		transport.Sudo{ResetTicket: true}, transport.Chain{withPassword(), transport.Sudo{ResetTicket: true}},
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

// helperIsShut makes sure that the helper that asks leaves no core file, and lets nobody look into it.
func helperIsShut(t *testing.T, via transport.Transport) {
	list, err := st.Root.Processes()
	if err != nil {
		t.Error(err)
	}
	for _, p := range list {
		if len(p.Argv) == 0 || filepath.Base(p.Argv[0]) != "deliveryboy-askpass" {
			continue
		}
		if _, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", p.PID)); err == nil {
			t.Errorf("%v: this user can look into the helper", via)
		}
		limits, err := st.Root.ReadFile(fmt.Sprintf("/proc/%d/limits", p.PID))
		if err != nil || !bytes.Contains(limits, []byte("Max core file size        0 ")) {
			t.Errorf("%v: %v %s", via, err, limits)
		}
		return
	}
	t.Errorf("%v: no helper runs while its question is put", via)
}
