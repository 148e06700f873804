//go:build linux

package kernel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/kernel"
)

// full reports whether the tests run at full size.
func full() bool { return os.Getenv("KERNEL_FULL") == "1" }

func sized(few, many int) int {
	if full() {
		return many
	}
	return few
}

// A crew is some processes that count, and what is known of them.
type crew struct {
	t     *testing.T
	lines int
	names []string
	pids  map[string]int
}

// hire starts processes that print numbers, with a pause now and then, and end with an exit code of their own.
func hire(t *testing.T, c *kernel.Client, n, lines int, spec kernel.ProcessSpec) *crew {
	t.Helper()
	k := &crew{t: t, lines: lines, pids: map[string]int{}}
	for i := range n {
		name := fmt.Sprintf("count.%d", i)
		spec.Args = []string{"/bin/sh", "-c", fmt.Sprintf(
			`i=0; while [ $i -lt %d ]; do echo %s $i; i=$((i+1)); [ $((i%%200)) = 0 ] && /bin/sleep 0.1; done; exit %d`, lines, name, k.code(i))}
		p, err := c.MakeProcess(limited(t), name, spec)
		must(t, err)
		k.names, k.pids[name] = append(k.names, name), p.PID
	}
	return k
}

func (k *crew) code(i int) int { return i%100 + 1 }

// A tally is what a consumer has heard.
type tally struct {
	err   error
	lines map[string]int // how many whole lines, in order
	rest  map[string]string
	code  map[string]int
	wrong []string
}

// hear listens to a watch until its end. Each line has to be the one after the one before.
func (k *crew) hear(ctx context.Context, w *kernel.Watcher) *tally {
	y := &tally{lines: map[string]int{}, rest: map[string]string{}, code: map[string]int{}}
	for {
		events, err := w.Read(ctx)
		if err != nil {
			if !errors.Is(err, io.EOF) {
				y.err = err
			}
			return y
		}
		for _, e := range events {
			y.add(e)
		}
	}
}

func (y *tally) add(e kernel.Event) {
	switch e.Kind {
	case kernel.Output:
		text := y.rest[e.Name] + string(e.Data)
		for {
			line, rest, whole := strings.Cut(text, "\n")
			if !whole {
				y.rest[e.Name] = text
				return
			}
			if want := fmt.Sprintf("%s %d", e.Name, y.lines[e.Name]); line != want {
				y.wrong = append(y.wrong, fmt.Sprintf("%q instead of %q", line, want))
			}
			y.lines[e.Name]++
			text = rest
		}
	case kernel.Closed:
		if _, twice := y.code[e.Name]; twice {
			y.wrong = append(y.wrong, e.Name+" is closed twice")
		}
		y.code[e.Name] = e.ExitCode
		if !e.Known {
			y.code[e.Name] = -1000
		}
	default:
		y.wrong = append(y.wrong, fmt.Sprintf("%s of %s: %d bytes %.100q", e.Kind, e.Name, e.Count, e.Data))
	}
}

// check looks that nothing is missing, twice, or wrong.
func (k *crew) check(who string, y *tally) {
	k.t.Helper()
	if y.err != nil {
		k.t.Errorf("%s: %v", who, y.err)
	}
	if len(y.wrong) > 0 {
		k.t.Errorf("%s: %d things are wrong, first %s", who, len(y.wrong), y.wrong[0])
	}
	for i, name := range k.names {
		if y.lines[name] != k.lines || y.rest[name] != "" || y.code[name] != k.code(i) {
			k.t.Errorf("%s: %s: %d lines of %d, exit code %d instead of %d", who, name, y.lines[name], k.lines, y.code[name], k.code(i))
		}
	}
}

// roles are the holder and the server of a kernel; 0 for one that is not there right now.
func roles(t *testing.T, socket string) (holder, server int) {
	list := kernels(t, socket)
	for _, p := range list {
		if i := slices.IndexFunc(list, func(q process) bool { return q.PID == p.Parent }); i >= 0 {
			holder, server = list[i].PID, p.PID
		}
	}
	return holder, server
}

// killing kills processes of a kernel now and then, until the context ends; pick picks them. It returns how often.
func killing(ctx context.Context, t *testing.T, socket string, pause time.Duration, pick func(holder, server int) int) (n int) {
	for {
		select {
		case <-ctx.Done():
			return n
		case <-time.After(pause/2 + rand.N(pause)):
		}
		holder, server := roles(t, socket)
		if holder == 0 {
			continue
		}
		if syscall.Kill(pick(holder, server), syscall.SIGKILL) == nil {
			n++
		}
		if n%3 > 0 { // else the next one may die before it is ready
			conn, err := net.Dial("unix", socket)
			if err == nil {
				_ = conn.SetReadDeadline(time.Now().Add(time.Minute))
				_, _ = conn.Read(make([]byte, 1))
				conn.Close()
			}
		}
	}
}

// accounted looks that no process is left, and no zombie.
func (k *crew) accounted(c *kernel.Client, socket string) {
	k.t.Helper()
	begin := time.Now()
	for {
		list, err := c.Processes(limited(k.t))
		must(k.t, err)
		holder, server := roles(k.t, socket)
		var left []process
		for _, p := range processes(k.t) {
			if (p.Parent == holder || p.Parent == server) && p.PID != server {
				left = append(left, p)
			}
			for name, pid := range k.pids {
				if p.PID == pid && strings.Contains(strings.Join(p.Argv, " "), name) {
					left = append(left, p)
				}
			}
		}
		if len(list) == 0 && len(left) == 0 {
			return
		}
		if time.Since(begin) > time.Minute {
			k.t.Errorf("left: %d processes of the kernel, %+v of the system", len(list), left)
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// survive runs a crew while something is killed, with two consumers that listen all the time, and one that comes at the end.
func survive(t *testing.T, n, lines int, pause time.Duration, pick func(holder, server int) int) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	o.Timeout = time.Minute
	c := open(t, o)
	must(t, c.Set(limited(t), "durable", "value"))
	s, err := c.MakeSocket(limited(t), "web", kernel.SocketSpec{})
	must(t, err)
	k := hire(t, c, n, lines, kernel.ProcessSpec{Consumers: []string{"log", "metrics", "late"}})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Minute)
	defer cancel()
	var heard [2]*tally
	var work sync.WaitGroup
	for i, consumer := range []string{"log", "metrics"} {
		w, err := open(t, o).WatchProcesses(ctx, kernel.WatchOptions{Consumer: consumer}, "count.*")
		must(t, err)
		work.Go(func() { heard[i] = k.hear(ctx, w) })
	}
	killed, end := context.WithCancel(ctx)
	kills := make(chan int)
	go func() { kills <- killing(killed, t, set.Socket, pause, pick) }()
	work.Wait()
	end()
	times := <-kills
	k.check("log", heard[0])
	k.check("metrics", heard[1])
	w, err := c.WatchProcesses(ctx, kernel.WatchOptions{Consumer: "late"}, "count.*")
	must(t, err)
	k.check("late", k.hear(ctx, w))
	if got, err := c.Get(limited(t), "durable"); got != "value" || err != nil {
		t.Errorf("the value is %q, %v", got, err)
	}
	if list, err := c.Sockets(limited(t)); err != nil || len(list) != 1 || list[0].Port != s.Port {
		t.Errorf("the sockets are %+v, %v", list, err)
	}
	k.accounted(c, set.Socket)
	t.Logf("%d processes, %d lines each, killed %d times", n, lines, times)
	if times < 2 {
		t.Error("too little was killed to tell anything")
	}
}

// TestFault7ServerDies: kill -9 of the server while processes run and print. PA-01, PA-56.
func TestFault7ServerDies(t *testing.T) {
	for range rounds(1) {
		survive(t, sized(40, 200), sized(6000, 4000), 400*time.Millisecond, func(_, server int) int { return server })
	}
}

// TestHolderDies: kill -9 of the holder; its server takes its place, and another server is started.
func TestHolderDies(t *testing.T) {
	for range rounds(1) {
		survive(t, sized(20, 200), sized(6000, 4000), 600*time.Millisecond, func(holder, _ int) int { return holder })
	}
}

// TestHolderDiesUnnoticed: connections stay, with half a line and with what was shown and not acknowledged.
func TestHolderDiesUnnoticed(t *testing.T) {
	set := place(t, st.UID)
	c := open(t, start(t, st.UID, set))
	_, err := c.MakeProcess(limited(t), "a", kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", "echo one; read x; echo two; exit 5"}, Stdin: kernel.Pipe})
	must(t, err)
	half, shown := dial(t, set.Socket), dial(t, set.Socket)
	half.say("set v \"one ")
	shown.say("watch processes a\n")
	shown.expect("one\n\n] ")
	holder, server := roles(t, set.Socket)
	must(t, syscall.Kill(holder, syscall.SIGKILL))
	now, next := 0, 0
	for begin := time.Now(); now == 0 || now == holder; now, next = roles(t, set.Socket) {
		if time.Since(begin) > time.Minute {
			t.Fatal("no server has been started")
		}
	}
	half.say("two\"\nget v\n")
	half.expect("> one two\n> ")
	shown.say("\n")
	must(t, c.Send(limited(t), "a", []byte("\n")))
	said := ""
	for !strings.Contains(said, "closed:a:") {
		said += shown.expect("] ")
		shown.say("\n")
	}
	if !strings.Contains(said, "two\n") || strings.Contains(said, "one\n") || !strings.Contains(said, ":5\n") {
		t.Errorf("after the holder's death: %q", said)
	}
	shown.expect("Nothing left to watch\n> ")
	if now != server || next == server {
		t.Errorf("holder %d and server %d, and then %d and %d: the server was to become the holder", holder, server, now, next)
	}
}

// TestOneOfTheTwoDies: in any order.
func TestOneOfTheTwoDies(t *testing.T) {
	for range rounds(1) {
		n := 0
		survive(t, sized(20, 200), sized(6000, 4000), 700*time.Millisecond, func(holder, server int) int {
			if n++; n%2 == 0 {
				return holder
			}
			return server
		})
	}
}

// killBoth kills both processes of a kernel at once, and waits until they have closed what they had open.
func killBoth(t *testing.T, socket string) {
	t.Helper()
	dying := map[int]bool{}
	for _, signal := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGKILL} {
		for _, p := range kernels(t, socket) {
			dying[p.PID] = true
			_ = syscall.Kill(p.PID, signal)
		}
	}
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		// A zombie may have threads that have not closed its files yet; one that was reaped has none.
		if !slices.ContainsFunc(processes(t), func(p process) bool { return dying[p.PID] }) {
			return
		}
		if time.Since(begin) > time.Minute {
			t.Fatal("kill -9 does not end them")
		}
	}
}

// TestBothDie: what needs neither goes on, and the next kernel knows it. Exit codes are known, or said to be unknown.
func TestBothDie(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	c := open(t, o)
	for i, script := range []string{"sleep 1; exit 7", "exit 8", "exec sleep 1000"} {
		_, err := c.MakeProcess(limited(t), fmt.Sprintf("p.%d", i), kernel.ProcessSpec{Args: []string{"/bin/sh", "-c", script}, Stdout: kernel.Discard, Stderr: kernel.Discard})
		must(t, err)
	}
	_, err := c.MakeProcess(limited(t), "said", kernel.ProcessSpec{Args: []string{"/bin/echo", "something"}})
	must(t, err)
	for { // both of those that end have ended
		list, err := c.Processes(limited(t), "p.1", "said")
		must(t, err)
		if !list[0].Running && !list[1].Running && list[1].Kept == 10 {
			break
		}
	}
	before, err := c.Processes(limited(t), "p.2")
	must(t, err)
	killBoth(t, set.Socket)
	c = open(t, start(t, st.UID, set))
	after, err := c.Processes(limited(t), "p.2")
	must(t, err)
	if len(after) != 1 || after[0].PID != before[0].PID || !after[0].Running || !after[0].Adopted {
		t.Errorf("%+v, and after the death of both %+v", before, after)
	}
	must(t, c.SignalProcesses(limited(t), "KILL", "p.2"))
	w, err := c.WatchProcesses(limited(t), kernel.WatchOptions{}, "*")
	must(t, err)
	said := ""
	for e, err := range w.Events(limited(t)) {
		must(t, err)
		if e.Kind == kernel.Output {
			said += string(e.Data)
		}
		want := map[string]int{"p.0": 7, "p.1": 8, "p.2": -9, "said": 0}[e.Name]
		if e.Kind == kernel.Closed && e.Known && e.ExitCode != want {
			t.Errorf("%s: exit code %d, want %d, or that nobody knows", e.Name, e.ExitCode, want)
		}
		if e.Kind == kernel.Closed && !e.Known && (e.Name == "p.1" || e.Name == "said") {
			t.Errorf("%s: its exit code had been written down", e.Name)
		}
	}
	if said != "something\n" {
		t.Errorf("what was printed before is %q", said)
	}
}

// TestForgedRecord: a record that names a process of somebody else does not make it ours. T52.
func TestForgedRecord(t *testing.T) {
	set := place(t, st.UID)
	o := start(t, st.UID, set)
	c := open(t, o)
	p, err := c.MakeProcess(limited(t), "a", kernel.ProcessSpec{Args: []string{"/bin/sleep", "1000"}})
	must(t, err)
	killBoth(t, set.Socket)
	must(t, syscall.Kill(p.PID, syscall.SIGKILL))
	record := filepath.Join(set.State, "processes", strconv.Itoa(st.UID)+"-a.record")
	text, err := os.ReadFile(record)
	must(t, err)
	stranger := strconv.Itoa(os.Getpid())
	forged := strings.ReplaceAll(string(text), fmt.Sprintf(`"PID":%d`, p.PID), `"PID":`+stranger)
	if forged == string(text) {
		t.Fatalf("no process number in %q", text)
	}
	must(t, os.WriteFile(record, []byte(forged), 0o600))
	c = open(t, start(t, st.UID, set))
	if list, err := c.Processes(limited(t)); err != nil || len(list) != 0 {
		t.Errorf("%+v, %v: the checksum is wrong", list, err)
	}
	if _, err := os.Stat(strings.TrimSuffix(record, ".record") + ".bad"); err != nil {
		t.Errorf("it is not put aside: %v", err)
	}
}
