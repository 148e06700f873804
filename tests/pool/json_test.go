//go:build linux

package pool

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/registry"
	"github.com/seed354a1416/deliveryboy/tests/ways"
	"github.com/seed354a1416/deliveryboy/transport"
)

// An answer is a line of the server's.
type answer struct {
	ID             *int64
	Out, Err       []byte
	Code           *int
	Signal         string
	Killed         *int64
	Stdout, Stderr []byte
	Dropped        int64
	Error          struct{ Kind, Text string }
}

// A talk is a conversation in JSON.
type talk struct {
	*net.UnixConn
	lines *bufio.Reader
}

func converse(t *testing.T, path string) *talk {
	t.Helper()
	conn := connect(t, path).(*net.UnixConn)
	return &talk{conn, bufio.NewReader(conn)}
}

func (c *talk) ask(t *testing.T, format string, args ...any) {
	t.Helper()
	_, err := fmt.Fprintf(c, format+"\n", args...)
	must(t, err)
}

func (c *talk) next(t *testing.T) (a answer) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	text, err := c.lines.ReadBytes('\n')
	must(t, err)
	must(t, json.Unmarshal(text, &a))
	return a
}

// end reads up to the end of a command, and returns what it wrote, too.
func (c *talk) end(t *testing.T, id int64) (a answer, out []byte) {
	t.Helper()
	for {
		a = c.next(t)
		if a.ID == nil || *a.ID != id {
			t.Fatalf("%+v", a)
		}
		if out = append(out, a.Out...); a.Out == nil && a.Err == nil {
			return a, out
		}
	}
}

// finish wants the server to end the conversation.
func (c *talk) finish(t *testing.T) {
	t.Helper()
	must(t, c.SetReadDeadline(time.Now().Add(patience)))
	if rest, err := io.ReadAll(c.lines); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

const pythonClient = `
import base64, json, os, socket, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
f = s.makefile("rwb")
def ask(**request):
    f.write(json.dumps(request).encode() + b"\n")
    f.flush()
body = (b"foo\r\nbar\x00\xff" * 30000)[:244544]
ask(id=1, run=["cat"], stdin=base64.b64encode(body).decode())
ask(id=2, shell="echo $A; pwd; echo no >&2; exit 3", env={"A": "b c"}, dir="/usr", whole=True)
ask(id=3, run=["sleep", "1000"])
ask(id=4, kill=3)
ends, out = {}, b""
while len(ends) < 4:
    a = json.loads(f.readline())
    if "out" in a:
        assert a["id"] == 1, a
        out += base64.b64decode(a["out"])
    else:
        ends[a.pop("id")] = a
assert out == body, len(out)
assert ends[1] == {"code": 0}, ends
assert ends[2]["code"] == 3 and base64.b64decode(ends[2]["stdout"]) == b"b c\n/usr\n", ends
assert base64.b64decode(ends[2]["stderr"]) == b"no\n", ends
assert ends[3] == {"signal": "SIGKILL"} or ends[3]["error"]["kind"] == "killed", ends
assert ends[4] == {"killed": 3}, ends
print("well")
`

// EB-23: a client in another language, of another process.
func TestEB23Python(t *testing.T) {
	python := "/usr/bin/python3"
	if _, err := os.Stat(python); err != nil {
		t.Skip("NOT TESTED, no python3: ", err)
	}
	srv := serve(t, settings{Size: 2})
	out, err := exec.CommandContext(limited(t), python, "-c", pythonClient, srv.path).CombinedOutput()
	if err != nil || string(out) != "well\n" {
		t.Errorf("%s, %v", out, err)
	}
	srv.Term(t)
	nothingLeft(t, "a conversation with python")
}

// EB-23: who has said all it wants still hears what comes of it.
func TestEB23Netcat(t *testing.T) {
	nc, err := exec.LookPath("nc")
	if err != nil {
		ways.Need(t, "nc", err.Error())
	}
	srv := serve(t, settings{Size: 1})
	cmd := exec.CommandContext(limited(t), nc, "-N", "-U", srv.path)
	cmd.Stdin = strings.NewReader(`{"id":7,"run":["echo","a"]}` + "\r\n")
	out, err := cmd.CombinedOutput()
	if want := "{\"id\":7,\"out\":\"YQo=\"}\n{\"id\":7,\"code\":0}\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v; want %q", out, err, want)
	}
	srv.Term(t)
}

// EB-23: every byte comes back as it was, in pieces and whole.
func TestEB23Bytes(t *testing.T) {
	srv := serve(t, settings{Size: 1})
	c := converse(t, srv.path)
	body := bytes.Repeat([]byte("foo\r\nbar\x00\n\xff"), 25_000)[:244_544]
	text, err := json.Marshal(body)
	must(t, err)
	c.ask(t, `{"id":1,"run":["cat"],"stdin":%s}`, text)
	if end, out := c.end(t, 1); end.Code == nil || *end.Code != 0 || !bytes.Equal(out, body) {
		t.Errorf("%d of %d bytes, %+v", len(out), len(body), end)
	}
	c.ask(t, `{"id":1,"run":["cat"],"stdin":%s,"whole":true}`, text)
	if end, _ := c.end(t, 1); end.Code == nil || *end.Code != 0 || !bytes.Equal(end.Stdout, body) || end.Stderr == nil {
		t.Errorf("%d of %d bytes, %+v", len(end.Stdout), len(body), end.Error)
	}
	c.ask(t, `{"id":2,"shell":"head -c 3000000 /dev/zero","whole":true}`)
	if end, _ := c.end(t, 2); len(end.Stdout) != 1<<20 || end.Dropped != 3_000_000-1<<20 {
		t.Errorf("%d bytes, %d dropped, %+v", len(end.Stdout), end.Dropped, end.Error)
	}
	srv.Term(t)
	c.finish(t)
}

// EB-23: a line that is wrong has one answer, and the conversation goes on; but not behind one that is too long.
func TestEB23WrongLines(t *testing.T) {
	srv := serve(t, settings{Size: 1, Patience: time.Second})
	c := converse(t, srv.path)
	c.ask(t, `{"id":1,"run":["sleep","1000"]}`)
	for _, w := range []struct{ line, id, kind, text string }{
		{`{"id":2,"run":["ls"],"user":"root"}`, "2", "request", `pool: request: key "user": it is not known`},
		{`{"id":2,"run":["ls"],"run":["ls"]}`, "2", "request", `pool: request: key "run": it comes twice`},
		{`{"id":2,"run":["ls"]}x`, "", "request", "pool: request: more follows the object"},
		{`ls`, "", "request", "pool: request: it is no JSON object"},
		{`{"id":1,"run":["ls"]}`, "", "request", "pool: request: id 1: a command with it runs"},
		{`{"id":1,"run":7}`, "", "request", `pool: request: key "run": it must be an array of strings`},
		{`{"id":2,"kill":3}`, "2", "request", "pool: request: kill: no command with id 3 runs"},
		{`{"id":2,"run":["/no/such/program"]}`, "2", "failed", "no such file or directory"},
		{`{"id":2,"run":["sleep","1000"],"timeout":0.1}`, "2", "timeout", "longer than its 100ms"},
	} {
		c.ask(t, "%s", w.line)
		a, id := c.next(t), ""
		if a.ID != nil {
			id = fmt.Sprint(*a.ID)
		}
		if id != w.id || a.Error.Kind != w.kind || !strings.Contains(a.Error.Text, w.text) {
			t.Errorf("%s: %q %+v", w.line, id, a.Error)
		}
	}
	c.ask(t, `{"id":2,"kill":1}`)
	for range 2 { // in either order
		if a := c.next(t); a.ID == nil || *a.ID == 2 && a.Killed == nil || *a.ID == 1 && a.Signal != "SIGKILL" {
			t.Errorf("%+v", a)
		}
	}
	for i := range 17 {
		c.ask(t, `{"id":%d,"run":["sleep","1000"]}`, i)
	}
	if a := c.next(t); a.ID == nil || *a.ID != 16 || a.Error.Kind != "busy" {
		t.Errorf("%+v", a)
	}
	long := converse(t, srv.path)
	wrote := make(chan struct{})
	go func() {
		defer close(wrote)
		_, _ = io.WriteString(long, "{"+strings.Repeat(" ", 1<<20))
	}()
	if a := long.next(t); a.Error.Kind != "request" || !strings.Contains(a.Error.Text, "more than 1048576 bytes") {
		t.Errorf("%+v", a)
	}
	<-wrote
	slow := converse(t, srv.path)
	_, err := io.WriteString(slow, "{")
	must(t, err)
	if a := slow.next(t); a.Error.Kind != "request" || !strings.Contains(a.Error.Text, "timeout") {
		t.Errorf("%+v", a)
	}
	slow.finish(t)
}

// guestTalk is a conversation of another user, over sudo.
var guestTalk = registry.Register("guest.talk", func(_ context.Context, path, line string) (string, error) {
	conn, err := net.Dial("unix", path)
	if err != nil {
		return "", err
	}
	defer conn.Close()
	_, _ = io.WriteString(conn, line+"\n") // who is refused may not come to it
	text, err := bufio.NewReader(conn).ReadString('\n')
	return text, err
})

// EB-23: rules refuse what they refuse of others, with the same text.
func TestEB23Rules(t *testing.T) {
	st.NeedSudo(t)
	st.NeedSecond(t)
	closed := serve(t, settings{Socket: openDir(t)})
	must(t, os.Chmod(closed.path, 0o666)) // it is not the mode that keeps them out
	srv := serve(t, settings{Rules: []pool.Rule{{User: st.Second, Commands: [][]string{{"/usr/bin/id", "-u"}}}}})
	second := delivery.Once{Via: transport.Sudo{User: st.Second}}
	_, err := guestRun.On(second)(limited(t), srv.path, st.User, []string{"/bin/date"})
	var denied *pool.DeniedError
	if !errors.As(err, &denied) {
		t.Fatal(err)
	}
	for line, allowed := range map[string]bool{
		`{"id":1,"run":["/usr/bin/id","-u"]}`:                 true,
		`{"id":1,"run":["/usr/bin/id","-u"],"whole":true}`:    true,
		`{"id":1,"run":["/usr/bin/id","-u"],"stdin":"AA=="}`:  true,
		`{"id":1,"run":["/usr/bin/id"]}`:                      false,
		`{"id":1,"run":["/usr/bin/id","-u","-r"]}`:            false,
		`{"id":1,"run":["/usr/bin/id","-u"],"env":{"A":"b"}}`: false,
		`{"id":1,"run":["/usr/bin/id","-u"],"dir":"/"}`:       false,
		`{"id":1,"shell":"/usr/bin/id -u"}`:                   false,
		`{"id":1,"shell":"/usr/bin/id","whole":true}`:         false,
	} {
		text, err := guestTalk.On(second)(limited(t), srv.path, line)
		must(t, err)
		var a answer
		must(t, json.Unmarshal([]byte(text), &a))
		switch {
		case !allowed && (a.Error.Kind != "denied" || a.Error.Text != denied.Error()):
			t.Errorf("%s: %s; want %s", line, text, denied)
		case allowed && string(a.Out)+string(a.Stdout) != itoa(st.UID)+"\n":
			t.Errorf("%s: %s", line, text)
		}
	}
	text, err := guestTalk.On(second)(limited(t), closed.path, `{"id":1,"run":["/usr/bin/id","-u"]}`)
	if err != nil || !strings.HasPrefix(text, "refused ") {
		t.Errorf("%q, %v", text, err)
	}
}

// EB-23: a client that does not read keeps nobody out for longer than TaskTimeout and Patience, nor the server from its end.
func TestEB23Deaf(t *testing.T) {
	srv := serve(t, settings{Size: 1, Timeout: 500 * time.Millisecond, Patience: 500 * time.Millisecond})
	deaf := converse(t, srv.path)
	deaf.ask(t, `{"id":1,"run":["yes"]}`)
	_, err := deaf.lines.Peek(1) // it runs
	must(t, err)
	c := converse(t, srv.path)
	c.ask(t, `{"id":1,"run":["echo","on"]}`)
	if end, out := c.end(t, 1); string(out) != "on\n" || end.Code == nil {
		t.Errorf("%q, %+v", out, end)
	}
	srv.Term(t)
	nothingLeft(t, "a client that did not read")
}

// EB-23: a client that does not read loses its connection, though its commands have ended, and hold no worker, long ago.
func TestEB23DeafLosesItsPlace(t *testing.T) {
	srv := serve(t, settings{Size: 1, Write: 300 * time.Millisecond})
	for name, line := range map[string]string{
		"in pieces": `{"id":%d,"shell":"head -c 200000 /dev/zero"}`, // a stream's window, and what a socket holds, take some of them
		"whole":     `{"id":%d,"shell":"head -c 1000000 /dev/zero","whole":true}`,
		"requests":  `{"id":%d}` + strings.Repeat("\nx", 20000),
	} {
		t.Run(name, func(t *testing.T) {
			deaf := converse(t, srv.path)
			asked := make(chan struct{})
			go func() {
				defer close(asked)
				for i := range 16 {
					if _, err := fmt.Fprintf(deaf, line+"\n", i); err != nil {
						return // it was sent away meanwhile
					}
				}
			}()
			srv.Wait(t, "client ended", "does not read")
			<-asked
			must(t, deaf.SetReadDeadline(time.Now().Add(patience)))
			if _, err := io.Copy(io.Discard, deaf.lines); err != nil && !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the connection: %v", err)
			}
		})
	}
	c := converse(t, srv.path) // one that reads, after a while, has all of it
	c.ask(t, `{"id":1,"shell":"head -c 3000000 /dev/zero"}`)
	if end, out := c.end(t, 1); len(out) != 3_000_000 || end.Code == nil {
		t.Errorf("%d bytes, %+v", len(out), end)
	}
	srv.Term(t)
	nothingLeft(t, "clients that did not read")
}

// EB-23: what a client has running ends when it is gone, with all that it started, whether anything was written or not.
func TestEB23Leaves(t *testing.T) {
	for name, line := range map[string]string{
		"silent": `{"id":1,"shell":"echo $$; sleep 1000 & sleep 1000; sleep 1000"}`,
		"loud":   `{"id":1,"shell":"echo $$; sleep 1000 & yes"}`,
		"whole":  `{"id":1,"shell":"sleep 1000 & sleep 1000","whole":true}`,
	} {
		t.Run(name, func(t *testing.T) {
			srv := serve(t, settings{Size: 1})
			c := converse(t, srv.path)
			c.ask(t, "%s", line)
			group := 0
			if name != "whole" {
				var err error
				group, err = strconv.Atoi(strings.TrimSpace(strings.SplitN(string(c.next(t).Out), "\n", 2)[0]))
				must(t, err)
				if len(ofGroup(t, group)) == 0 {
					t.Fatalf("nothing of process group %d is there", group)
				}
			}
			if name == "silent" {
				must(t, c.CloseWrite()) // it still listens; then it does not
			}
			must(t, c.Close())
			srv.Wait(t, "client ended")
			again := converse(t, srv.path) // the worker is free
			again.ask(t, `{"id":1,"run":["echo","on"]}`)
			if end, out := again.end(t, 1); string(out) != "on\n" || end.Code == nil {
				t.Errorf("%q, %+v", out, end)
			}
			if group != 0 {
				groupEnds(t, group)
			}
			again.Close()
			srv.Term(t)
			nothingLeft(t, "a client that left")
		})
	}
}

// groupEnds waits until nothing of a process group runs.
func groupEnds(t *testing.T, group int) {
	t.Helper()
	for limit := time.Now().Add(patience); ; runtime.Gosched() {
		left := ofGroup(t, group)
		if len(left) == 0 {
			return
		}
		if time.Now().After(limit) {
			t.Fatalf("of process group %d there are still %q", group, left)
		}
	}
}

// ofGroup are the processes of a group that are no zombies, as /proc has them.
func ofGroup(t *testing.T, group int) (list []string) {
	t.Helper()
	all, err := filepath.Glob("/proc/[0-9]*/stat")
	must(t, err)
	for _, name := range all {
		text, err := os.ReadFile(name)
		if err != nil { // it has ended meanwhile
			continue
		}
		fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:])) // state, parent, group
		if fields[0] != "Z" && fields[0] != "X" && fields[2] == itoa(group) {
			list = append(list, string(text))
		}
	}
	return list
}

// EB-23: a server that is to end lets what runs come to its end.
func TestEB23Drain(t *testing.T) {
	srv := serve(t, settings{Size: 1})
	c := converse(t, srv.path)
	c.ask(t, `{"id":1,"shell":"echo up; read line < /dev/stdin; sleep 0.3; echo down","stdin":"Cg=="}`)
	if a := c.next(t); string(a.Out) != "up\n" {
		t.Fatalf("%+v", a)
	}
	must(t, srv.Cmd.Process.Signal(syscall.SIGTERM))
	if end, out := c.end(t, 1); string(out) != "down\n" || end.Code == nil || *end.Code != 0 {
		t.Errorf("%q, %+v", out, end)
	}
	c.finish(t)
	srv.Wait(t, "msg=ended", "socket=")
	must(t, srv.Cmd.Wait())
}
