package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var pidAgain = registry.Register("pid.again", func() (int, error) { return os.Getpid(), nil }, registry.Rules{Idempotent: true})

// A plugin that ends its process fails what was asked of it, at once, and stays lost: the worker that an idempotent
// function starts again is not taken for it.
func TestLost(t *testing.T) {
	for _, verb := range []string{"exit", "panic"} {
		overAll(t, func(t *testing.T, tg target) {
			var log buffer
			c, p := openRough(t, tg.via, plugin.Options{Session: session.Options{Log: slog.NewTextHandler(&log, nil)}})
			_, before := who(t, p)
			if _, err := p.Do(limited(t), verb, "on purpose"); err == nil {
				t.Error("no error")
			}
			<-c.Done()
			log.eventually(t, "level=ERROR msg=\"plugin process exited\"")
			if err := c.Err(); err == nil || verb == "panic" && !strings.Contains(fmt.Sprint(err, log.String()), "panic: on purpose") {
				t.Errorf("%v\n%s", err, log.String())
			}
			if pid, err := pidAgain.On(c)(); err != nil || pid == before {
				t.Errorf("%d: %v", pid, err)
			}
			if err := c.Ping(limited(t)); err == nil {
				t.Error("there is somebody again")
			}
			if _, err := p.Do(limited(t), "who", ""); err == nil || !strings.Contains(err.Error(), "open the set again") {
				t.Error(err)
			}
			must(t, c.Close())
		})
	}
}

// Close ends what still runs.
func TestCloseBusy(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		c, p := openRough(t, tg.via, plugin.Options{})
		failed := make(chan error, 1)
		go func() {
			_, err := p.Do(context.Background(), "hang", "")
			failed <- err
		}()
		_, pid := who(t, p)
		must(t, c.Close())
		if err := <-failed; err == nil {
			t.Error("no error")
		}
		gone(t, pid)
		if _, err := double.On(c)(1); !errors.Is(err, session.ErrClosed) {
			t.Error(err)
		}
	})
}

func TestRefusedOptions(t *testing.T) {
	leaks(t)
	for field, o := range map[string]plugin.Options{
		"Session.MaxCalls": {Session: session.Options{MaxCalls: 1}}, "Session.Idle": {Session: session.Options{Idle: 1}},
		"Session.Lifetime": {Session: session.Options{Lifetime: 1}}, "Shutdown": {Shutdown: -1},
		"Handshake": {Expect: plugin.Set{Plugins: setOf(1)}}, "Umask": {Session: session.Options{Umask: -2}},
	} {
		if _, err := plugin.Open(limited(t), transport.Self{}, "probe", o); err == nil || !strings.Contains(err.Error(), "field "+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

// A worker that is narrowed to one function, one call at a time, serves plugins and that function.
func TestNarrow(t *testing.T) {
	leaks(t)
	o := session.Options{Only: []string{double.Name()}, Concurrent: 1}
	c, p := open(t, targets()[0].via, plugin.Options{Session: o})
	who(t, p)
	if n, err := double.On(c)(4); n != 8 || err != nil {
		t.Error(n, err)
	}
	if _, err := pidAgain.On(c)(); err == nil {
		t.Error("a function that it is not narrowed to")
	}
	if len(o.Only) != 1 {
		t.Error("the caller's options were changed")
	}
}
