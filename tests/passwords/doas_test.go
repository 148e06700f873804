//go:build linux

package passwords

import (
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestDoasAsks at a terminal of its own, and the worker has nothing of that.
func TestDoasAsks(t *testing.T) {
	accounts(t)
	doasRules(t, "permit "+st.User+" as root\npermit nopass "+st.User+" as "+st.Second)
	k := gives(st.Password)
	got, err := look.On(delivery.Once{Via: transport.Doas{}, Ask: k.ask})()
	if err != nil || got.UID != 0 {
		t.Fatalf("%+v, asked %+v", err, k.asked())
	}
	if a := k.asked(); len(a) != 1 || !strings.HasPrefix(a[0].Text, "doas (") || a[0].Hop != "doas" || a[0].Number != 1 {
		t.Errorf("asked %+v", a)
	}
	isClean(t, got)
	leavesNothing(t)
	k = gives("nobody asks")
	got, err = look.On(delivery.Once{Via: transport.Doas{User: st.Second}, Ask: k.ask})()
	if err != nil || got.UID != st.SecondUID || len(k.asked()) > 0 || attempts(t) > 0 {
		t.Errorf("nopass: %+v, %+v, asked %v", got, err, k.asked())
	}
}

// TestDoasRefuses says why, and has tried once at most.
func TestDoasRefuses(t *testing.T) {
	accounts(t)
	doasRules(t, "permit "+st.User+" as root")
	for name, c := range map[string]struct {
		via    transport.Doas
		answer string
		asks   bool
		asked  int
		failed int
		want   string
	}{
		"wrong":        {transport.Doas{}, "wrong", true, 1, 1, transport.ReasonWrong},
		"none":         {transport.Doas{}, "", true, 1, 0, transport.ReasonPassword},
		"not asked":    {transport.Doas{}, "", false, 0, 0, transport.ReasonPassword},
		"not allowed":  {transport.Doas{User: st.Second}, st.Password, true, 0, 0, transport.ReasonNotAllowed},
		"unknown user": {transport.Doas{User: "nobody-here"}, st.Password, true, 0, 0, transport.ReasonUnknownUser},
	} {
		t.Run(name, func(t *testing.T) {
			k := gives(c.answer)
			o := delivery.Once{Via: c.via}
			if c.asks {
				o.Ask = k.ask
			}
			_, err := look.On(o)()
			reason, hop := reasonOf(t, err)
			if n := attempts(t); !strings.HasPrefix(reason, c.want) || hop != c.via.String() || len(k.asked()) != c.asked || n != c.failed {
				t.Errorf("%q at %q, tried %d times, asked %+v: %v", reason, hop, n, k.asked(), err)
			}
			leavesNothing(t)
		})
	}
}
