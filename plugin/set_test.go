package plugin_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/seed354a1416/deliveryboy/plugin"
)

// wedge is a plugin whose server side hangs, and fault one whose server side fails.
type (
	wedge struct{ probePlugin }
	fault struct{ probePlugin }
)

func (wedge) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error { select {} }

func (fault) GRPCServer(*goplugin.GRPCBroker, *grpc.Server) error {
	return errors.New("no disk for it")
}

func init() {
	plugin.Provide("wedge", plugin.Set{Handshake: probeHandshake, Plugins: goplugin.PluginSet{"probe": wedge{}}})
	plugin.Provide("fault", plugin.Set{Handshake: probeHandshake, Plugins: goplugin.PluginSet{"probe": fault{}}})
}

func TestProvideRefuses(t *testing.T) {
	good := plugin.Set{Handshake: probeHandshake, Plugins: setOf(1)}
	for want, c := range map[string]struct {
		name string
		set  plugin.Set
	}{
		"the name is taken":           {"probe", good},
		"only letters, digits":        {"a set", good},
		"it needs a magic cookie":     {"a", plugin.Set{Plugins: setOf(1)}},
		"field Plugins: there are no": {"b", plugin.Set{Handshake: probeHandshake}},
		"<nil> does not speak gRPC":   {"c", plugin.Set{Handshake: probeHandshake, Versions: map[int]goplugin.PluginSet{3: {"x": nil}}}},
	} {
		t.Run(want, func(t *testing.T) {
			defer func() {
				if why := fmt.Sprint(recover()); !strings.HasPrefix(why, "plugin: set ") || !strings.Contains(why, want) {
					t.Error(why)
				}
			}()
			plugin.Provide(c.name, c.set)
		})
	}
}

// The highest version that both sides have is used.
func TestVersions(t *testing.T) {
	for _, c := range []struct {
		here []int
		want int
	}{{[]int{1}, 1}, {[]int{1, 2, 3}, 2}, {[]int{2, 4, 9}, 4}, {[]int{0, 1}, 1}} {
		t.Run(fmt.Sprint(c.here), func(t *testing.T) {
			leaks(t)
			expect := plugin.Set{Handshake: probeHandshake, Versions: map[int]goplugin.PluginSet{}}
			for _, v := range c.here {
				expect.Versions[v] = setOf(v)
			}
			client, p := open(t, targets()[0].via, plugin.Options{Expect: expect})
			if got := ask(t, p, "version", ""); client.Version() != c.want || got != fmt.Sprint(c.want) {
				t.Errorf("%d here, %s there", client.Version(), got)
			}
			r := detach(t, client, plugin.StartOptions{Expect: expect})
			a, p := attach(t, r, plugin.AttachOptions{Expect: expect})
			if got := ask(t, p, "version", ""); r.Version != c.want || got != fmt.Sprint(c.want) {
				t.Errorf("detached: %d here, %s there", r.Version, got)
			}
			must(t, a.Stop(limited(t)))
		})
	}
}

// A plugin that cannot be served says why; one that hangs is left behind by nobody.
func TestCannotServe(t *testing.T) {
	leaks(t)
	via := targets()[0].via
	const why = "no disk for it"
	if _, err := plugin.Open(limited(t), via, "fault", plugin.Options{}); err == nil || !strings.Contains(err.Error(), why) {
		t.Error(err)
	}
	if _, err := plugin.Start(limited(t), self, "fault"); err == nil || !strings.Contains(err.Error(), why) {
		t.Error(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := plugin.Open(ctx, via, "wedge"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := plugin.Start(ctx, self, "wedge"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	noWorkers(t)
	within(t, "the end of all copies", func() bool { return len(copies(t)) == 0 })
}
