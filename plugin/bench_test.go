package plugin_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

var quiet = session.Options{Log: slog.DiscardHandler}

func local(b *testing.B, f func(b *testing.B, via transport.Transport)) {
	b.Run("self", func(b *testing.B) { f(b, transport.Self{}) })
	b.Run("sudo", func(b *testing.B) { st.NeedSudo(b); f(b, transport.Sudo{}) })
}

// What go-plugin adds to the start and the end of a session.
func BenchmarkOpen(b *testing.B) {
	local(b, func(b *testing.B, via transport.Transport) {
		b.Run("session", func(b *testing.B) {
			o := quiet
			o.Via = via
			for b.Loop() {
				s, err := session.Open(context.Background(), o)
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				_ = s.Close()
				b.StartTimer()
			}
		})
		b.Run("plugin", func(b *testing.B) {
			for b.Loop() {
				c, err := plugin.Open(context.Background(), via, "probe", plugin.Options{Session: quiet})
				if err != nil {
					b.Fatal(err)
				}
				b.StopTimer()
				_ = c.Close()
				b.StartTimer()
			}
		})
	})
}

func BenchmarkClose(b *testing.B) {
	local(b, func(b *testing.B, via transport.Transport) {
		for b.Loop() {
			b.StopTimer()
			c, err := plugin.Open(context.Background(), via, "probe", plugin.Options{Session: quiet})
			if err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
			if err := c.Close(); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// A registered function through a session with go-plugin on it and without, and a method of a plugin.
func BenchmarkCall(b *testing.B) {
	local(b, func(b *testing.B, via transport.Transport) {
		o := quiet
		o.Via = via
		s, err := session.Open(context.Background(), o)
		if err != nil {
			b.Fatal(err)
		}
		defer s.Close()
		c, err := plugin.Open(context.Background(), via, "probe", plugin.Options{Session: quiet})
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		p, err := plugin.Dispense[probe](c, "probe")
		if err != nil {
			b.Fatal(err)
		}
		for name, courier := range map[string]box.Courier{"session": s, "client": c} {
			call := double.On(courier)
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					if _, err := call(1); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		b.Run("plugin", func(b *testing.B) {
			for b.Loop() {
				if _, err := p.Do(context.Background(), "echo", "x"); err != nil {
					b.Fatal(err)
				}
			}
		})
	})
}
