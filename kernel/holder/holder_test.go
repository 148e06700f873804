//go:build linux

package holder_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
	"github.com/seed354a1416/deliveryboy/kernel/holder"
)

// The test binary is the holder, and the server, which does what it reads from the socket that is kept as "talk".
func TestMain(m *testing.M) {
	if detached.Asked(os.Args) {
		detached.Main(os.Args)
	}
	os.Exit(m.Run())
}

func init() {
	detached.Role("test-holder", func([]string) int {
		code, err := holder.Run(holder.Options{
			Argv: []string{os.Args[0], detached.Verb, "test-server"},
			Held: []holder.Held{{Key: "talk", Note: []byte("n"), Files: []*os.File{detached.File(0)}}},
		})
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
		return code
	})
	detached.Role("test-server", func([]string) int { return play() })
}

// A told is what a server says of itself.
type told struct {
	PID, Holder int
	Keys        []string
	Exits       map[int]int
	Fallen      bool
	Lost        bool
	Text        string
}

func play() int {
	link, past, err := holder.Join()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	exits, lost := make(chan holder.Exit, 100), make(chan bool, 1)
	link.Listen(holder.Events{Exit: func(e holder.Exit) { exits <- e }, Failed: func(string, string) {}, Lost: func() { lost <- true }})
	t := told{PID: os.Getpid(), Holder: past.Holder, Exits: map[int]int{}, Fallen: past.Fallen}
	for _, h := range past.Held {
		t.Keys = append(t.Keys, h.Key)
	}
	slices.Sort(t.Keys)
	for _, e := range past.Exits {
		t.Exits[e.PID] = syscall.WaitStatus(e.Status).ExitStatus()
	}
	talk := past.Held[slices.IndexFunc(past.Held, func(h holder.Held) bool { return h.Key == "talk" })].Files[0]
	if len(os.Args) > 3 && os.Args[3] == "broken" {
		return 1
	}
	_ = link.Ready()
	_ = json.NewEncoder(talk).Encode(t)
	for lines := bufio.NewScanner(talk); lines.Scan(); {
		answer := told{PID: os.Getpid()}
		word, arg, _ := strings.Cut(lines.Text(), " ")
		switch word {
		case "child":
			p, err := os.StartProcess("/bin/sh", []string{"sh", "-c", arg}, &os.ProcAttr{})
			if err == nil {
				fd, _ := unix.PidfdOpen(p.Pid, 0)
				f := os.NewFile(uintptr(fd), "pidfd")
				err = link.Keep(holder.Held{Key: "child/" + strconv.Itoa(p.Pid), Who: holder.Process{PID: p.Pid, Start: holder.StartOf(p.Pid)}, Files: []*os.File{f}})
			}
			answer.Text = fmt.Sprint(p.Pid, err)
		case "keep":
			answer.Text = fmt.Sprint(link.Keep(holder.Held{Key: arg, Files: []*os.File{talk}}), link.Sync())
		case "drop":
			answer.Text = fmt.Sprint(link.Drop(arg), link.Sync())
		case "exit":
			e := <-exits
			answer.Text = fmt.Sprint(e.PID, syscall.WaitStatus(e.Status).ExitStatus())
		case "renew":
			answer.Text = fmt.Sprint(link.Renew())
		case "replace":
			f, _ := os.Open(arg)
			answer.Text = fmt.Sprint(link.Replace(f), link.Sync())
		case "exec":
			_ = link.Inherit()
			answer.Text = fmt.Sprint(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
		case "orphan": // its holder dies while it becomes another program
			_ = link.Inherit()
			peek()
			_ = unix.Kill(past.Holder, unix.SIGKILL)
			for os.Getppid() == past.Holder {
				time.Sleep(time.Millisecond)
			}
			answer.Text = fmt.Sprint(syscall.Exec("/proc/self/exe", os.Args, os.Environ()))
		case "become":
			<-lost
			answer.Text = fmt.Sprint(holder.Become(holder.Options{Argv: os.Args, Held: past.Held}))
		case "die":
			_ = unix.Kill(os.Getpid(), unix.SIGKILL)
			select {}
		case "leave":
			code, _ := strconv.Atoi(arg)
			return code
		}
		_ = json.NewEncoder(talk).Encode(answer)
	}
	return 3
}

// peek waits until the holder has sent everything that Join reads, and reads nothing.
func peek() {
	const link = 3
	_ = unix.SetsockoptInt(link, unix.SOL_SOCKET, unix.SO_PEEK_OFF, 0) // each look is at the next packet
	for buf := make([]byte, 64<<10); ; {
		_, _ = unix.Poll([]unix.PollFd{{Fd: link, Events: unix.POLLIN}}, -1)
		n, _, _, _, err := unix.Recvmsg(link, buf, nil, unix.MSG_PEEK)
		if err == nil && strings.Contains(string(buf[:n]), `"op":"joined"`) {
			return
		}
	}
}

type rig struct {
	t    *testing.T
	talk *os.File
	in   *json.Decoder
	cmd  *exec.Cmd
}

func begin(t *testing.T) *rig {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	theirs := os.NewFile(uintptr(fds[1]), "")
	_ = unix.SetNonblock(fds[0], true)
	r := &rig{t: t, talk: os.NewFile(uintptr(fds[0]), "")}
	_ = r.talk.SetDeadline(time.Now().Add(60 * time.Second))
	r.in = json.NewDecoder(r.talk)
	exe, _ := os.Executable()
	r.cmd = exec.Command(exe, detached.Verb, "test-holder")
	r.cmd.ExtraFiles, r.cmd.Stderr = []*os.File{theirs}, os.Stderr
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	theirs.Close()
	t.Cleanup(func() { _ = r.cmd.Process.Kill(); _ = r.cmd.Wait(); r.talk.Close() })
	return r
}

func (r *rig) next() told {
	r.t.Helper()
	var v told
	if err := r.in.Decode(&v); err != nil {
		r.t.Fatalf("the server says nothing: %v", err)
	}
	return v
}

func (r *rig) say(line string) { _, _ = io.WriteString(r.talk, line+"\n") }

func (r *rig) ask(line string) told { r.t.Helper(); r.say(line); return r.next() }

func number(text string) int {
	n, _ := strconv.Atoi(strings.Fields(text)[0])
	return n
}

func TestServerDies(t *testing.T) {
	r := begin(t)
	first := r.next()
	if !slices.Equal(first.Keys, []string{"talk"}) {
		t.Fatalf("kept from the beginning: %q", first.Keys)
	}
	r.ask("keep a")
	r.ask("keep b")
	r.ask("drop a")
	dead := number(r.ask("child exit 7").Text)
	late := number(r.ask("child read x < /proc/self/fd/0; sleep 0.3; exit 9").Text)
	r.say("die")
	second := r.next()
	want := []string{"b", fmt.Sprintf("child/%d", dead), fmt.Sprintf("child/%d", late), "talk"}
	slices.Sort(want)
	if !slices.Equal(second.Keys, want) || second.PID == first.PID {
		t.Errorf("after the server's death another has %q, want %q", second.Keys, want)
	}
	codes := second.Exits
	for len(codes) < 2 {
		var pid, code int
		_, _ = fmt.Sscan(r.ask("exit").Text, &pid, &code)
		codes[pid] = code
	}
	if codes[dead] != 7 || codes[late] != 9 {
		t.Errorf("exit codes %v, want 7 of %d and 9 of %d", codes, dead, late)
	}
}

func TestServerExecsAndHolderRenews(t *testing.T) {
	r := begin(t)
	first := r.next()
	r.ask("keep a")
	child := number(r.ask("child sleep 0.2; exit 5").Text)
	if text := r.ask("renew").Text; text != "<nil>" {
		t.Fatalf("renew: %s", text)
	}
	r.say("exec")
	second := r.next()
	if second.PID != first.PID || second.Holder != first.Holder || len(second.Keys) != 3 {
		t.Fatalf("%+v, then %+v", first, second)
	}
	// The holder that became another program still starts servers, and reaps.
	r.say("die")
	third := r.next()
	if third.Holder != first.Holder || len(third.Keys) != 3 {
		t.Fatalf("%+v, then %+v", first, third)
	}
	if code, known := third.Exits[child]; known && code != 5 {
		t.Errorf("exit code %d", code)
	} else if !known && r.ask("exit").Text != fmt.Sprint(child, 5) {
		t.Error("the exit code of the child is not known")
	}
}

// TestHolderDiesWhileItsServerExecs: what the holder had is on its way by then, and the server, which is another program, takes
// its place.
func TestHolderDiesWhileItsServerExecs(t *testing.T) {
	r := begin(t)
	first := r.next()
	r.ask("keep a")
	r.say("orphan")
	second := r.next()
	if second.PID != first.PID || len(second.Keys) != 2 {
		t.Fatalf("%+v, then %+v", first, second)
	}
	r.say("become")
	third := r.next()
	if third.Holder != first.PID || len(third.Keys) != 2 {
		t.Errorf("%+v, then %+v", second, third)
	}
	r.say("leave 0")
	if _, err := r.talk.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("reading on: %v, want the end", err)
	}
}

func TestHolderDies(t *testing.T) {
	r := begin(t)
	first := r.next()
	_ = r.cmd.Process.Kill()
	r.say("become")
	second := r.next()
	if second.Holder != first.PID || second.PID == first.PID || !slices.Equal(second.Keys, []string{"talk"}) {
		t.Fatalf("%+v, then %+v: the server has to become the holder", first, second)
	}
	r.say("die")
	if third := r.next(); third.Holder != first.PID {
		t.Errorf("%+v: the new holder starts servers", third)
	}
	// Ours to end: nothing else ends a holder but its server's word.
	r.say("leave 0")
	if _, err := r.talk.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("reading on: %v, want the end", err)
	}
}

func TestReplacementThatFails(t *testing.T) {
	r := begin(t)
	r.next()
	r.ask("replace /bin/false")
	r.say("die")
	if again := r.next(); !again.Fallen {
		t.Errorf("%+v: the server should know that the replacement did not work", again)
	}
	r.say("die")
	if again := r.next(); again.Fallen {
		t.Errorf("%+v: that was said once", again)
	}
}

func TestEnds(t *testing.T) {
	for _, c := range []struct {
		name, say string
		signal    syscall.Signal
		code      int
	}{
		{"of its own accord", "leave 0", 0, 0},
		{"told to", "", syscall.SIGTERM, 128 + int(syscall.SIGTERM)},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := begin(t)
			r.next()
			if c.signal != 0 {
				_ = r.cmd.Process.Signal(c.signal)
			} else {
				r.say(c.say)
			}
			_ = r.cmd.Wait()
			if got := r.cmd.ProcessState.ExitCode(); got != c.code {
				t.Errorf("exit code %d, want %d", got, c.code)
			}
		})
	}
}

func TestServerDiesOften(t *testing.T) {
	r := begin(t)
	r.next()
	r.ask("keep a")
	for range 6 {
		r.say("die")
		if again := r.next(); len(again.Keys) != 2 {
			t.Fatalf("%+v", again)
		}
	}
}
