//go:build linux

package skew

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/deploy"
	"github.com/seed354a1416/deliveryboy/internal/build"
	"github.com/seed354a1416/deliveryboy/session"
)

// canary is an argument that must not reach the wrong build.
var canary = strings.Repeat("canary-argument-", 1<<8)

// skewed fails the test if an error is not that of another build, told before anything ran.
func skewed(t *testing.T, err error) {
	t.Helper()
	var skew *box.VersionSkewError
	var lost *box.DeliveryError
	if !errors.As(err, &skew) || !errors.As(err, &lost) || lost.Fate != box.NotStarted || !strings.Contains(err.Error(), "this side runs the build") {
		t.Errorf("got %+v", err)
	}
}

// TestReplacedBetweenTwoCalls over each way, by another build, and by one behind something that notes what comes in.
func TestReplacedBetweenTwoCalls(t *testing.T) {
	for name, c := range ways() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			once := delivery.Once{Via: via(c), Program: s.program}
			if id, err := mark.On(once)(s.effects, "one"); err != nil || id != build.ID() {
				t.Fatalf("%q, %+v", id, err)
			}
			s.install(otherBuild(t))
			_, err := mark.On(once)(s.effects, canary)
			skewed(t, err)
			s.install(s.recorder())
			_, err = mark.On(once)(s.effects, canary)
			skewed(t, err)
			if sent := s.read(s.log); sent == "" || strings.Contains(sent, "canary") || len(sent) > 16<<10 {
				t.Errorf("the wrong build got %d bytes: %.300q", len(sent), sent)
			}
			if got := s.read(s.effects); got != "one\n" {
				t.Errorf("effects: %.100q", got)
			}
			s.install(original(t))
			if _, err := mark.On(once)(s.effects, "two"); err != nil {
				t.Errorf("the right one again: %+v", err)
			}
		})
	}
}

// TestReplacedUnderASession: its worker goes on as what it is, and the one that takes its place must be the same.
func TestReplacedUnderASession(t *testing.T) {
	for name, c := range ways() {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			ss, err := delivery.Open(t.Context(), via(c), session.Options{Program: s.program})
			must(t, err)
			defer func() { must(t, ss.Close()) }()
			if _, err := mark.On(ss)(s.effects, "one"); err != nil {
				t.Fatalf("%+v", err)
			}
			s.install(s.recorder())
			if id, err := mark.On(ss)(s.effects, "two"); err != nil || id != build.ID() {
				t.Errorf("the worker that runs: %q, %+v", id, err)
			}
			if err := end.On(ss)(context.Background()); err == nil {
				t.Error("the worker did not end")
			}
			_, err = mark.On(ss)(s.effects, canary)
			skewed(t, err)
			if sent := s.read(s.log); sent == "" || strings.Contains(sent, "canary") {
				t.Errorf("the wrong build got %d bytes: %.300q", len(sent), sent)
			}
			if got := s.read(s.effects); got != "one\ntwo\n" {
				t.Errorf("effects: %.100q", got)
			}
		})
	}
}

// TestReplacedWhereItWasBrought: a program in the cache that is not the right one is not run, but brought again.
func TestReplacedWhereItWasBrought(t *testing.T) {
	all := ways()
	for _, name := range []string{"self", "sudo", "ssh"} {
		c := all[name]
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			cache := "/tmp/" + strings.ReplaceAll(t.Name(), "/", "-")
			t.Cleanup(func() { must(t, removeScene.On(root())(cache)) })
			open := func() (string, deploy.Result) {
				ss, err := delivery.Open(t.Context(), via(c), session.Options{Deploy: deploy.Options{On: true, Cache: cache}})
				must(t, err)
				id, err := mark.On(ss)(s.effects, "x")
				must(t, errors.Join(err, ss.Close()))
				return id, ss.Deployed()
			}
			_, r := open()
			s.program = r.Path
			for _, wrong := range [][]byte{otherBuild(t), s.recorder()} {
				s.install(wrong)
				if id, again := open(); id != build.ID() || !again.Pushed {
					t.Errorf("%q, %+v", id, again)
				}
			}
			if sent := s.read(s.log); sent != "" {
				t.Errorf("the wrong build got %d bytes: %.300q", len(sent), sent)
			}
		})
	}
}
