package plugin_test

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

var double = registry.Register("double", func(n int) (int, error) { return 2 * n, nil })

func TestOpen(t *testing.T) {
	overAll(t, func(t *testing.T, tg target) {
		c, p := open(t, tg.via, plugin.Options{})
		uid, pid := who(t, p)
		if want := tg.uid; want != uid && (want != -1 || uid != os.Getuid()) || pid == os.Getpid() {
			t.Errorf("uid %d, pid %d", uid, pid)
		}
		large := strings.Repeat("x", 3<<20)
		if got := ask(t, p, "echo", large); got != large {
			t.Errorf("%d bytes came back of %d", len(got), len(large))
		}
		if n, err := double.On(c)(21); n != 42 || err != nil {
			t.Error(n, err)
		}
		info, err := c.Session().Info(limited(t))
		if err != nil || info.PID != pid {
			t.Errorf("the functions run in %d, the plugins in %d: %v", info.PID, pid, err)
		}
		must(t, c.Ping(limited(t)))
		if c.Version() != 4 || ask(t, p, "version", "") != "4" {
			t.Errorf("version %d", c.Version())
		}
	})
}

func TestOpenUnknown(t *testing.T) {
	leaks(t)
	_, err := plugin.Open(limited(t), transport.Self{}, "nothing")
	if err == nil || !strings.Contains(err.Error(), `provides no such set, only ["fault"`) {
		t.Error(err)
	}
	var lost *box.DeliveryError
	_, err = plugin.Open(limited(t), transport.Command{Prefix: []string{"/does/not/exist"}}, "probe")
	if !errors.As(err, &lost) {
		t.Errorf("%T %v", err, err)
	}
}
