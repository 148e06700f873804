package plugin_test

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/session"
)

// A plugin of root's, or on another host, is attached to from here, over a courier that gets there.
func TestReattachOver(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s, err := delivery.Open(limited(t), tg.via)
		must(t, err)
		for name, c := range map[string]box.Courier{"session": s, "once": delivery.Once{Via: tg.via}} {
			r := detach(t, c, plugin.StartOptions{})
			for range 2 {
				a, p := attach(t, r, plugin.AttachOptions{Over: c})
				if uid, pid := who(t, p); uid != r.UID || pid != r.PID {
					t.Errorf("%s: uid %d, pid %d", name, uid, pid)
				}
				must(t, a.Ping(limited(t)))
				must(t, a.Close())
			}
			wrong := r
			wrong.Started++
			if _, err := plugin.Reattach(limited(t), wrong, plugin.AttachOptions{Over: c}); !errors.Is(err, plugin.ErrGone) {
				t.Error(err)
			}
			wrong = r
			wrong.UID += 7
			if _, err := plugin.Reattach(limited(t), wrong, plugin.AttachOptions{Over: c}); !errors.Is(err, plugin.ErrGone) {
				t.Error(err)
			}
			a, _ := attach(t, r, plugin.AttachOptions{Over: c})
			must(t, a.Stop(limited(t)))
			<-a.Done()
			gone(t, r.PID)
			if _, err := plugin.Reattach(limited(t), r, plugin.AttachOptions{Over: c}); !errors.Is(err, plugin.ErrGone) {
				t.Error(err)
			}
		}
		must(t, s.Close())
	})
}

// One that does not answer is killed where it is; a courier that is lost ends nothing but the connection.
func TestReattachOverEnds(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		s, err := delivery.Open(limited(t), tg.via)
		must(t, err)
		r := detach(t, s, plugin.StartOptions{})
		a, p := attach(t, r, plugin.AttachOptions{Over: s, Shutdown: 50 * time.Millisecond})
		who(t, p)
		suspend(t, r.PID)
		var took *plugin.StopError
		if err := a.Stop(limited(t)); !errors.As(err, &took) || !took.Gone {
			t.Error(err)
		}
		gone(t, r.PID)
		if tg.uid == -1 {
			must(t, os.RemoveAll(filepath.Dir(r.Address)))
		}

		r = detach(t, s, plugin.StartOptions{})
		a, p = attach(t, r, plugin.AttachOptions{Over: s})
		info, err := s.Info(limited(t))
		must(t, err)
		must(t, kill(info.PID, syscall.SIGKILL))
		<-s.Done()
		if _, err := p.Do(limited(t), "who", ""); err == nil {
			t.Error("it was reached without its courier")
		}
		must(t, a.Close())
		_ = s.Close()
		if !alive(r.PID) {
			t.Error("it ended with the courier")
		}
		again, err := delivery.Open(limited(t), tg.via, session.Options{Log: slog.DiscardHandler})
		must(t, err)
		a, p = attach(t, r, plugin.AttachOptions{Over: again})
		who(t, p)
		must(t, a.Stop(limited(t)))
		must(t, again.Close())
	})
}
