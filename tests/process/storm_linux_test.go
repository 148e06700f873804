package process

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/process/processtest"
	"github.com/seed354a1416/deliveryboy/transport"
)

// What has left the group of a process over a courier, and holds its outputs, keeps nobody: neither a Close, nor a Stop, nor
// a context.
func TestHeldOutputs(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	s := openSession(t, transport.Sudo{})
	for name, c := range map[string]box.Courier{"session": s, "once": delivery.Once{Via: transport.Sudo{}, Stderr: &races}} {
		for how, end := range map[string]func(*process.Cmd, context.CancelFunc) error{
			"close":   func(cmd *process.Cmd, _ context.CancelFunc) error { return cmd.Process.Close() },
			"kill":    func(cmd *process.Cmd, _ context.CancelFunc) error { return cmd.Process.Kill(t.Context()) },
			"context": func(_ *process.Cmd, cancel context.CancelFunc) error { cancel(); return nil },
		} {
			t.Run(name+" "+how, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				cmd := process.Command(ctx, c, "sh", "-c", "setsid sh -c 'echo fled; exec sleep 1000' & read line; exit 3")
				in, err := cmd.StdinPipe()
				if err != nil {
					t.Fatal(err)
				}
				lines := make(chan struct{}, 1)
				cmd.Stdout = tell(lines)
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				<-lines
				in.Close()
				for { // until the first one has ended
					if _, err := cmd.Process.Stats(t.Context(), 0); errors.Is(err, process.ErrDone) {
						break
					}
				}
				if err := end(cmd, cancel); err != nil && !errors.Is(err, process.ErrDone) {
					t.Error(err)
				}
				if err := cmd.Wait(); err == nil {
					t.Error("it ended well")
				}
			})
		}
	}
	if err := process.Command(t.Context(), s, "true").Run(); err != nil {
		t.Errorf("the session afterwards: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	noSurvivors(t, "outputs that were held")
}

// tell is told of each write.
type tell chan<- struct{}

func (c tell) Write(p []byte) (int, error) {
	select {
	case c <- struct{}{}:
	default:
	}
	return len(p), nil
}

// Whatever is killed, stopped or closed at whatever moment: it ends, and leaves nothing here.
func TestRandomMoments(t *testing.T) {
	s := openSession(t, transport.Self{})
	here := used(t)
	n := 20 * rounds()
	var all sync.WaitGroup
	seats := make(chan struct{}, 8)
	for i := range n {
		seats <- struct{}{}
		all.Go(func() {
			defer func() { <-seats }()
			var c box.Courier = s
			if i%3 == 0 {
				c = nil
			}
			if err := randomLife(t.Context(), c, rand.New(rand.NewPCG(1, uint64(i)))); err != nil { //nolint:gosec // it is to be repeated
				t.Errorf("%d: %v", i, err)
			}
		})
	}
	all.Wait()
	here.remains(t)
	if err := process.Command(t.Context(), s, "true").Run(); err != nil {
		t.Errorf("the session afterwards: %v", err)
	}
}

// randomConfig is what randomLife runs.
func randomConfig(c box.Courier, dice *rand.Rand) process.Config {
	cfg := process.Config{Grace: process.Duration(time.Duration(dice.IntN(20)) * time.Millisecond)}
	flee := ""
	if c != nil { // here, nobody finds those who had left the group when the first one ended
		flee = "setsid "
	}
	cfg.Argv = []string{"sh", "-c", []string{
		"sleep 1000", "exit 5", "sleep 1000 & wait", flee + "sleep 1000 & sleep 1000", "trap '' TERM; while :; do sleep 0.01; done",
		"kill -STOP $$; sleep 1000", "cat", "yes", "sleep 0.01; exec sleep 0.01",
	}[dice.IntN(9)]}
	if dice.IntN(3) == 0 {
		cfg.Umask = "077"
	}
	if dice.IntN(2) == 0 {
		cfg.Outputs, cfg.Input, cfg.Streams = []string{"out"}, true, []string{"side"}
	}
	return cfg
}

// randomLife starts a process, and has several do something to it at once.
func randomLife(ctx context.Context, c box.Courier, dice *rand.Rand) error {
	cfg := randomConfig(c, dice)
	p, err := process.On(c).New(cfg)
	if err != nil {
		return err
	}
	p.Subscribe(".", func(process.Event) {})
	var work sync.WaitGroup
	work.Go(func() { _ = p.Start(ctx) })
	for range 4 {
		wait, what := time.Duration(dice.IntN(30))*time.Millisecond, dice.IntN(6)
		work.Go(func() {
			time.Sleep(wait) // the moment
			switch what {
			case 0:
				_, _ = p.Stop(ctx)
			case 1:
				_ = p.Kill(ctx)
			case 2:
				_ = p.Signal(ctx, syscall.SIGSTOP)
			case 3:
				_, _ = p.Stats(ctx, time.Millisecond)
			case 4:
				_, _ = p.Wait(ctx)
			case 5:
				if in, err := p.Stdin(); err == nil {
					_, _ = in.Write(make([]byte, 100_000))
				}
			}
		})
	}
	hold := time.Duration(dice.IntN(60)) * time.Millisecond
	closed := make(chan error, 1)
	go func() {
		time.Sleep(hold)
		err := p.Close()
		work.Wait()
		closed <- err
	}()
	late := time.NewTimer(processtest.Patience)
	defer late.Stop()
	select {
	case err := <-closed:
		return err
	case <-late.C:
		return fmt.Errorf("the end of %q hangs", cfg.Argv)
	}
}

// TestManyStarts starts and waits for many, here: PROCESS_STARTS of them.
func TestManyStarts(t *testing.T) {
	here := used(t)
	for i := range starts() {
		cfg := process.Config{Argv: []string{"/bin/true"}}
		if i%10 == 0 {
			cfg = process.Config{Argv: []string{"/bin/sh", "-c", "exit 0"}, Umask: "022", Outputs: []string{"o"}, Streams: []string{"s"}}
		}
		p, err := process.Start(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := p.Wait(t.Context()); err != nil || !s.Success() {
			t.Fatalf("%s, %v", &s, err)
		}
		if err := p.Close(); err != nil {
			t.Fatal(err)
		}
	}
	here.remains(t)
	if left := children(t); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func starts() (n int) {
	if _, err := fmt.Sscan(os.Getenv("PROCESS_STARTS"), &n); err != nil {
		return 500
	}
	return n
}

// children are this process's, as ps has them, but for ps.
func children(t *testing.T) (lines []string) {
	t.Helper()
	out, err := exec.Command("ps", "-o", "pid=,stat=,args=", "--ppid", fmt.Sprint(os.Getpid())).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if !strings.Contains(line, "ps -o") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// A crew whose number changes while its members die has, in the end, as many as it is to have, and then none.
func TestCrewUnderChurn(t *testing.T) {
	s := openSession(t, transport.Self{})
	for name, c := range map[string]box.Courier{"here": nil, "session": s} {
		t.Run(name, func(t *testing.T) {
			here := used(t)
			crew := &process.Crew{
				Host: process.On(c), Config: process.Config{Argv: []string{"sleep", "1000"}, Outputs: []string{"o"}},
				Restart: process.Restart{Attempts: 1 << 20},
			}
			var work sync.WaitGroup
			for i := range 3 {
				work.Go(func() { churn(t, crew, rand.New(rand.NewPCG(2, uint64(i)))) }) //nolint:gosec // it is to be repeated
			}
			work.Wait()
			if err := crew.Scale(t.Context(), 4); err != nil {
				t.Fatal(err)
			}
			for deadline := time.Now().Add(processtest.Patience); len(crew.PIDs()) != 4 && time.Now().Before(deadline); {
				time.Sleep(time.Millisecond)
			}
			if n := len(crew.PIDs()); n != 4 {
				t.Errorf("%d members", n)
			}
			if err := crew.Stop(t.Context()); err != nil {
				t.Error(err)
			}
			here.remains(t)
		})
	}
}

func churn(t *testing.T, crew *process.Crew, dice *rand.Rand) {
	for range 10 * rounds() {
		switch dice.IntN(3) {
		case 0:
			if err := crew.Scale(t.Context(), dice.IntN(6)); err != nil {
				t.Error(err)
			}
		case 1:
			if err := crew.Signal(t.Context(), syscall.SIGKILL); err != nil {
				t.Error(err)
			}
		case 2:
			for _, p := range crew.Processes() {
				_ = p.Close()
			}
		}
	}
}
