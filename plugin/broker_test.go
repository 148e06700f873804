package plugin_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	goplugin "github.com/hashicorp/go-plugin"
	"google.golang.org/grpc"

	"github.com/seed354a1416/deliveryboy/plugin"
)

// A broker's connections need sockets. Over a session all four ways end with an error, and none hangs.
// Not looked at for leaks: go-plugin does not close the socket of an Accept that fails.
func TestNoBroker(t *testing.T) {
	c, p := open(t, targets()[0].via, plugin.Options{})
	broker := p.(*probeClient).broker
	if _, err := broker.Accept(broker.NextId()); !errors.Is(err, plugin.ErrNoBroker) {
		t.Errorf("accept here: %v", err)
	}
	if _, err := p.Do(limited(t), "broker dial", ""); err == nil || !strings.Contains(err.Error(), "timeout waiting for connection info") {
		t.Errorf("dial there: %v", err)
	}
	if _, err := p.Do(limited(t), "broker accept", ""); err != nil {
		t.Errorf("accept there: %v", err) // it has a socket there, and an address that says nothing here
	}
	if _, err := broker.Dial(78); !errors.Is(err, plugin.ErrNoBroker) {
		t.Errorf("dial here: %v", err)
	}
	must(t, c.Ping(limited(t)))
}

// With a detached plugin on this machine it works, for its first host.
func TestBrokerDetached(t *testing.T) {
	r := detach(t, self, plugin.StartOptions{})
	a, p := attach(t, r, plugin.AttachOptions{})
	broker := p.(*probeClient).broker
	served := make(chan struct{})
	go func() {
		broker.AcceptAndServe(77, func(o []grpc.ServerOption) *grpc.Server { return goplugin.DefaultGRPCServer(o) })
		close(served)
	}()
	ask(t, p, "broker dial", "")
	must(t, a.Close())
	<-served

	a, p = attach(t, r, plugin.AttachOptions{})
	if _, err := p.Do(limited(t), "broker accept", ""); err == nil || !strings.Contains(err.Error(), "broker closed") {
		t.Errorf("a second host: %v", err)
	}
	must(t, a.Close())
	a, p = attach(t, r, plugin.AttachOptions{Over: self})
	if _, err := p.(*probeClient).broker.Accept(1); !errors.Is(err, plugin.ErrNoBroker) {
		t.Errorf("over a courier: %v", err)
	}
	must(t, a.Stop(context.Background()))
}
