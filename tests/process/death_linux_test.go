package process

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/process"
	"github.com/seed354a1416/deliveryboy/session"
	"github.com/seed354a1416/deliveryboy/transport"
)

// playRole is a program that is run by a test.
func playRole(role string) int {
	if role == "unregistered" {
		err := process.Command(context.Background(), delivery.Once{Via: transport.Self{}}, "true").Run()
		fmt.Println(err)
		return 0
	}
	// A caller that is going to be killed.
	port, _ := strconv.Atoi(os.Getenv("PROCESS_PORT"))
	ssh := transport.SSH{Host: "127.0.0.1", Port: port, User: os.Getenv("PROCESS_USER"), ConfigFile: os.Getenv("PROCESS_CONFIG")}
	kind, way, _ := strings.Cut(role, " ")
	via := map[string]transport.Transport{
		"self": transport.Self{}, "sudo": transport.Sudo{}, "ssh": ssh, "ssh then sudo": transport.Chain{ssh, transport.Sudo{}},
	}[way]
	var c box.Courier = delivery.Once{Via: via}
	if kind == "session" {
		s, err := delivery.Open(context.Background(), via)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		c = s
	}
	cmd := process.Command(context.Background(), c, "sh", "-c", "sleep 1000 & setsid sleep 1000 & echo running; sleep 1000")
	cmd.Stdout = os.Stdout
	fmt.Println("ended", cmd.Run())
	return 1
}

// victim starts a caller in another process, and returns when the process that it runs runs.
func victim(t *testing.T, role string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(st.Binary) //nolint:noctx // it is killed
	cmd.Env = append(os.Environ(), "PROCESS_ROLE="+role, "PROCESS_PORT="+strconv.Itoa(st.SSHPort), "PROCESS_USER="+st.User, "PROCESS_CONFIG="+st.SSHConfig)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil || line != "running\n" {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		t.Fatalf("the victim said %q, %v", line, err)
	}
	return cmd
}

func deathTargets() []target {
	var out []target
	for _, tg := range targets() {
		if tg.name != "sudo to another user" {
			out = append(out, tg)
		}
	}
	return out
}

// A caller that is killed takes the process, and everything that it started, with it.
func TestKillingTheCaller(t *testing.T) {
	st.NeedRoot(t)
	for _, tg := range deathTargets() {
		for _, kind := range []string{"once", "session"} {
			t.Run(tg.name+" "+kind, func(t *testing.T) {
				tg.need(t)
				for range rounds() {
					cmd := victim(t, kind+" "+tg.name)
					if err := cmd.Process.Kill(); err != nil {
						t.Fatal(err)
					}
					_ = cmd.Wait()
					noSurvivors(t, "kill -9 of the caller")
				}
			})
		}
	}
}

// A worker that is killed is told of, and takes the process with it where there is somebody to see to that.
func TestKillingTheWorker(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	for range rounds() {
		s, err := delivery.Open(t.Context(), transport.Sudo{}, session.Options{Stderr: &races})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		p, err := process.On(s).Start(t.Context(), process.Config{Argv: []string{"sh", "-c", "sleep 1000 & sleep 1000"}})
		if err != nil {
			t.Fatalf("%+v", err)
		}
		stats, err := p.Stats(t.Context(), 0)
		if err != nil {
			t.Fatalf("%+v", err)
		}
		if err := st.Root.Kill(stats.Parent, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		state, err := p.Wait(t.Context())
		if err == nil || state.Success() || state.ExitCode() != -1 {
			t.Errorf("%s, %v", &state, err)
		}
		if err := p.Signal(t.Context(), syscall.SIGTERM); err == nil {
			t.Error("a process that is lost takes signals")
		}
		_ = p.Close()
		_ = s.Close()
		noSurvivors(t, "kill -9 of the worker")
	}
}

// What is left of a process ends with its call, not only with the session.
func TestWhatIsLeftEndsWithTheCall(t *testing.T) {
	st.NeedSudo(t)
	st.NeedRoot(t)
	s := openSession(t, transport.Sudo{})
	if out, err := process.Command(t.Context(), s, "sh", "-c", "sleep 1000 >/dev/null 2>&1 & echo x").Output(); err != nil || string(out) != "x\n" {
		t.Errorf("%q, %v", out, err)
	}
	st.WaitForSurvivors(t, 2, 30*time.Second, "the call") // the guardian and the worker
}
