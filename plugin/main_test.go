package plugin_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/plugin"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	delivery.Main() // the test binary plays the worker, and the detached plugin
	st = stage.Enter(stage.Options{})
	slog.SetDefault(slog.New(slog.DiscardHandler))
	code := m.Run()
	if code == 0 && strings.Contains(races.String(), "DATA RACE") {
		fmt.Fprintln(os.Stderr, "a worker reported a data race:\n"+races.String())
		code = 1
	}
	os.Exit(code)
}

// races is the stderr of the workers: what the race detector finds there would not fail a test by itself.
var races buffer

// A target is one way to a worker.
type target struct {
	name string
	via  transport.Transport
	uid  int // -1: as this process
	need func(stage.TB)
}

func targets() []target {
	ssh := transport.SSH{Host: "127.0.0.1", Port: st.SSHPort, User: st.User, ConfigFile: st.SSHConfig}
	return []target{
		{"self", transport.Self{}, -1, func(stage.TB) {}},
		{"sudo", transport.Sudo{}, 0, st.NeedSudo},
		{"ssh", ssh, -1, st.NeedSSH},
		{"ssh then sudo", transport.Chain{ssh, transport.Sudo{}}, 0, func(t stage.TB) { st.NeedSSH(t); st.NeedSudo(t) }},
	}
}

// overAll runs a test over every target, and sees to it that nothing is left.
func overAll(t *testing.T, f func(t *testing.T, tg target)) {
	for _, tg := range targets() {
		t.Run(tg.name, func(t *testing.T) {
			tg.need(t)
			leaks(t)
			f(t, tg)
		})
	}
}

// open opens the probe, which is closed without force at the end of the test.
func open(t *testing.T, via transport.Transport, o plugin.Options) (*plugin.Client, probe) {
	t.Helper()
	c, p := openRough(t, via, o)
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return c, p
}

// openRough opens the probe, which the test ends in its own way.
func openRough(t *testing.T, via transport.Transport, o plugin.Options) (*plugin.Client, probe) {
	t.Helper()
	if o.Session.Log == nil {
		o.Session.Log = slog.DiscardHandler
	}
	if o.Session.Stderr == nil {
		o.Session.Stderr = &races
	}
	c, err := plugin.Open(limited(t), via, "probe", o)
	if err != nil {
		t.Fatalf("%+v", err)
	}
	p, err := plugin.Dispense[probe](c, "probe")
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

// ask has the probe do something that must succeed.
func ask(t *testing.T, p probe, verb, text string) string {
	t.Helper()
	out, err := p.Do(limited(t), verb, text)
	if err != nil {
		t.Fatalf("%s: %v", verb, err)
	}
	return out
}

// who returns the probe's user and process.
func who(t *testing.T, p probe) (uid, pid int) {
	t.Helper()
	if _, err := fmt.Sscan(ask(t, p, "who", ""), &uid, &pid); err != nil {
		t.Fatal(err)
	}
	return uid, pid
}

// limited is a context that ends when a test hangs.
func limited(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%+v", err)
	}
}

// leaks fails the test if it leaves a goroutine or a descriptor.
func leaks(t *testing.T) {
	t.Helper()
	ignore, before := goleak.IgnoreCurrent(), descriptors(t)
	t.Cleanup(func() {
		goleak.VerifyNone(t, ignore)
		if after := descriptors(t); after > before {
			t.Errorf("%d descriptors were left", after-before)
		}
	})
}

func descriptors(t *testing.T) int {
	entries, err := os.ReadDir("/proc/self/fd")
	must(t, err)
	return len(entries)
}

// A buffer may be written to while it is read.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// eventually waits until the buffer has a text.
func (b *buffer) eventually(t *testing.T, text string) {
	t.Helper()
	within(t, "the text "+text, func() bool { return strings.Contains(b.String(), text) })
}

// within waits until something is so.
func within(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("not within 20 s: %s", what)
		}
	}
}

// workers lists the processes that are workers or guardians.
func workers(t *testing.T) (found []string) {
	t.Helper()
	all, err := st.Root.Processes()
	must(t, err)
	for _, p := range all {
		if len(p.Argv) > 1 && strings.Contains(strings.Join(p.Argv, " "), "__deliver") {
			found = append(found, fmt.Sprint(p))
		}
	}
	return found
}

// noWorkers waits until none is left.
func noWorkers(t *testing.T) {
	t.Helper()
	within(t, "the end of all workers", func() bool { return len(workers(t)) == 0 })
}
