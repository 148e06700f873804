package session

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/registry"
)

var count = registry.Register("count", countFor)

// countFor says that it runs, and counts the tenths of a second that it has.
func countFor(ctx context.Context, d time.Duration, running func() error) (n int, err error) {
	_ = running() // its answer may be late for a call that is cancelled
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for ; time.Duration(n)*100*time.Millisecond < d; n++ {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return n, ctx.Err()
		}
	}
	return n, nil
}

// far starts a caller in its place of the network, and returns when its function runs, in the worker with the pid.
func far(t *testing.T, name string, d time.Duration) (out *bufio.Reader, worker int) {
	t.Helper()
	n := st.Root.Network(t)
	cmd := play(t, "")
	cmd.Stderr = &races
	env := append(cmd.Env[:len(cmd.Env)-1:len(cmd.Env)-1], fmt.Sprintf("SESSION_ROLE=partition:%s:%s", name, d), "SESSION_HOST="+n.Host, "SESSION_CONFIG="+n.SSHConfig)
	argv := n.Argv(env, st.Binary)
	cmd.Path, cmd.Args = "/usr/bin/sudo", argv
	pipe, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Wait() })
	out = bufio.NewReader(pipe)
	if _, err := fmt.Sscanf(line(t, out, "running"), "running %d", &worker); err != nil {
		t.Fatal(err)
	}
	return out, worker
}

// TestPartition cuts the network while a function runs; sshd has its default settings. Nobody tells either side: each
// has to notice that the other is silent.
func TestPartition(t *testing.T) {
	st.NeedNetwork(t)
	for _, name := range []string{"ssh", "ssh then sudo"} {
		t.Run(name, func(t *testing.T) {
			out, worker := far(t, name, time.Hour)
			n := st.Root.Network(t)
			begin := time.Now()
			must(t, n.Cut())
			ended := make(chan string, 1)
			go func() { text, _ := out.ReadString('\n'); ended <- text }()
			var caller, gone time.Duration
			for caller == 0 || gone == 0 {
				select {
				case text := <-ended:
					caller = time.Since(begin)
					if !strings.HasPrefix(text, "ended") || !strings.Contains(text, "lost") || strings.Contains(text, "<nil>") {
						t.Errorf("the caller said %q", text)
					}
					t.Logf("the caller: %s", strings.TrimSpace(text))
				default:
				}
				if alive, err := st.Root.Alive(worker); err != nil || !alive && gone == 0 {
					must(t, err)
					gone = time.Since(begin)
				}
				if time.Since(begin) > 30*time.Second {
					t.Fatalf("after 30 s: the caller returned after %s, the worker was gone after %s (0: never)", caller, gone)
				}
				time.Sleep(5 * time.Millisecond)
			}
			t.Logf("the caller returned after %s, the far worker was gone after %s", caller.Round(time.Millisecond), gone.Round(time.Millisecond))
			if caller > 5*time.Second {
				t.Errorf("the caller returned after %s; the limit is 5 s", caller)
			}
			if gone > 6*time.Second {
				t.Errorf("the far worker was gone after %s; the limit is 6 s", gone)
			}
			t.Logf("the caller: %s", line(t, out, "closed"))
			must(t, n.Join())
			st.WaitForSurvivors(t, 0, tooLong, "a partition")
		})
	}
}

// TestBlip cuts the network for two seconds: the call completes.
func TestBlip(t *testing.T) {
	st.NeedNetwork(t)
	for range sized(1, 20) {
		out, _ := far(t, "ssh", 4*time.Second)
		n := st.Root.Network(t)
		must(t, n.Cut())
		time.Sleep(2 * time.Second) // the blip itself
		must(t, n.Join())
		if text := line(t, out, "ended"); !strings.HasSuffix(text, " 40 <nil>") {
			t.Errorf("the caller said %q", text)
		}
		t.Log(line(t, out, "closed"))
	}
	st.WaitForSurvivors(t, 0, tooLong, "a blip")
}
