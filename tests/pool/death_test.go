//go:build linux

package pool

import (
	"bufio"
	"errors"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/session"
)

// When a client is killed, its commands end, with all that they started, and its worker serves others.
func TestKilledClient(t *testing.T) {
	st.NeedRoot(t)
	srv := serve(t, settings{Size: 1})
	for _, sig := range []syscall.Signal{syscall.SIGKILL, syscall.SIGTERM} {
		client := role("client", srv.path)
		out, err := client.StdoutPipe()
		must(t, err)
		must(t, client.Start())
		line, err := bufio.NewReader(out).ReadString('\n')
		if _, bad := strconv.Atoi(strings.TrimSpace(line)); err != nil || bad != nil {
			t.Fatalf("the client says %q, %v", line, err)
		}
		must(t, client.Process.Signal(sig))
		_ = client.Wait()
		if out, err := dial(t, srv.path).Run(limited(t), "true"); err != nil || out.Code != 0 {
			t.Errorf("%+v, %v", out, err)
		}
	}
	srv.Term(t)
	nothingLeft(t, "clients that were killed")
}

// When a server is killed, so are its workers and commands, and clients learn it.
func TestKilledServer(t *testing.T) {
	srv := serve(t, settings{Size: 2})
	c := dial(t, srv.path)
	h, err := c.Start(t.Context(), "sh", "-c", "sleep 1000 & sleep 1000 & wait")
	must(t, err)
	defer h.Close()
	must(t, srv.Cmd.Process.Kill())
	if _, err := h.Wait(limited(t)); !errors.Is(err, session.ErrLost) {
		t.Errorf("%+v", err)
	}
	nothingLeft(t, "a server that was killed")
	if _, err := c.Run(limited(t), "true"); !errors.Is(err, session.ErrLost) {
		t.Errorf("%+v", err)
	}
}

// When a worker is killed, its commands fail, and are not repeated; those of others do not notice, and the next ones run.
func TestKilledWorker(t *testing.T) {
	st.NeedRoot(t)
	srv := serve(t, settings{Size: 2})
	first, second := dial(t, srv.path), dial(t, srv.path)
	h1, err := first.Start(t.Context(), "sh", "-c", "echo $PPID; sleep 1000")
	must(t, err)
	defer h1.Close()
	h2, err := second.Start(t.Context(), "cat")
	must(t, err)
	defer h2.Close()
	line := make([]byte, 20)
	n, err := h1.Stdout.Read(line)
	must(t, err)
	worker, err := strconv.Atoi(strings.TrimSpace(string(line[:n])))
	must(t, err)
	must(t, st.Root.Kill(worker, syscall.SIGKILL))
	if _, err := h1.Wait(limited(t)); err == nil {
		t.Error("the command has no error")
	}
	if out, err := first.Run(limited(t), "echo", "on"); err != nil || string(out.Stdout) != "on\n" {
		t.Errorf("%q, %v", out.Stdout, err)
	}
	out, _, err := h2.Communicate(limited(t), []byte("undisturbed"))
	if err != nil || string(out) != "undisturbed" {
		t.Errorf("%q, %v", out, err)
	}
	srv.Wait(t, "pool: worker ends", "because="+pool.ReplacedLost)
	srv.Term(t)
	for _, p := range sleepers(t) { // nobody watched over the worker: what it had started stays
		_ = st.Root.Kill(p, syscall.SIGKILL)
	}
}

// sleepers are commands that outlived their worker.
func sleepers(t *testing.T) (pids []int) {
	t.Helper()
	list, err := st.Survivors()
	must(t, err)
	for _, p := range list {
		if len(p.Argv) > 0 && p.Argv[0] == "sleep" || len(p.Argv) > 0 && p.Argv[0] == "sh" {
			pids = append(pids, p.PID)
		}
	}
	return pids
}
