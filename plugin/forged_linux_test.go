package plugin_test

import (
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/transport"
)

// A record comes from the caller. One that is true in all but that its process is no plugin gets nobody root's hand.
func TestForgedRecord(t *testing.T) {
	st.NeedSudo(t)
	st.NeedSSH(t)
	leaks(t)
	started, err := plugin.StartOf(st.SSHDPID)
	must(t, err)
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	must(t, err)
	forged := plugin.Record{
		Set: "probe", ID: "x", Protocol: "grpc", Version: 1, Network: "unix", Address: "/run/stage/root.sock",
		PID: st.SSHDPID, Started: started, Boot: strings.TrimSpace(string(boot)), UID: 0,
	}
	root := delivery.Once{Via: transport.Sudo{}}
	for name, more := range map[string][]any{
		"kill": nil, "watch": {func() { t.Error("watched") }}, "reach": {new(stream)},
	} {
		e, ok := registry.Lookup("deliveryboy.plugin." + name)
		if !ok {
			t.Fatal(name)
		}
		args := []reflect.Value{reflect.ValueOf(forged)}
		for _, a := range more {
			args = append(args, reflect.ValueOf(a))
		}
		_, err := e.Invoke(limited(t), root, args)
		if want := fmt.Sprintf("process %d is no plugin of user 0", st.SSHDPID); !errors.Is(err, plugin.ErrGone) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !alive(st.SSHDPID) {
		t.Error("it was killed")
	}
	if _, err := plugin.Reattach(limited(t), forged, plugin.AttachOptions{Over: root}); !errors.Is(err, plugin.ErrGone) {
		t.Error(err)
	}
}

// A stream is always at its end.
type stream struct{ strings.Reader }

func (*stream) Write(p []byte) (int, error) { return len(p), nil }
func (*stream) Close() error                { return nil }
