package server_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seed354a1416/deliveryboy/internal/trampoline"
	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
)

// TestMain makes the test binary what starts processes for a kernel, too.
func TestMain(m *testing.M) {
	if trampoline.Asked(os.Args) {
		trampoline.Main(os.Args)
	}
	goleak.VerifyTestMain(m)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// A talk is a connection as nc has one.
type talk struct {
	t    *testing.T
	conn *net.UnixConn
	in   *bufio.Reader
}

func dial(t *testing.T, o kernel.Options) *talk {
	t.Helper()
	k := call(t, o)
	if hello := k.reply(); hello != kernel.Banner {
		t.Fatalf("it greets with %q", hello)
	}
	return k
}

// call connects, and does not wait for the banner.
func call(t *testing.T, o kernel.Options) *talk {
	t.Helper()
	conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: o.Socket, Net: "unix"})
	must(t, err)
	t.Cleanup(func() { conn.Close() })
	must(t, conn.SetDeadline(time.Now().Add(60*time.Second)))
	return &talk{t, conn, bufio.NewReader(conn)}
}

// reply reads up to the next prompt.
func (k *talk) reply() string {
	k.t.Helper()
	var b strings.Builder
	for {
		c, err := k.in.ReadByte()
		if err != nil {
			return b.String() + "<" + err.Error() + ">"
		}
		b.WriteByte(c)
		if text := b.String(); text == kernel.Prompt || strings.HasSuffix(text, "\n"+kernel.Prompt) {
			return strings.TrimSuffix(text, kernel.Prompt)
		}
	}
}

func (k *talk) say(line string) string {
	k.t.Helper()
	if _, err := k.conn.Write([]byte(line + "\n")); err != nil {
		return "<" + err.Error() + ">"
	}
	return k.reply()
}

// closed reads the rest, up to the end of the connection.
func (k *talk) closed() string {
	k.t.Helper()
	rest, err := io.ReadAll(k.in)
	if err != nil && !strings.Contains(err.Error(), "reset") {
		k.t.Errorf("the connection did not end: %q, %v", rest, err)
	}
	return string(rest)
}

// TestPA16to24TextProtocol: a session by hand, word by word.
func TestPA16to24TextProtocol(t *testing.T) {
	k := dial(t, kerneltest.Start(t))
	for _, c := range []struct{ say, want string }{
		{``, ``},
		{`set a 1`, ``},
		{`get a`, "1\n"},
		{`get nosuch`, ``},
		{`set b "two words\n"`, ``},
		{`get b`, `"two words\n"` + "\n"}, // PA-21
		{`set c one\ word`, ``},
		{`get c`, "one word\n"},
		{`set d 'C:\'`, ``},
		{`get d`, "C:\\\n"},
		{"set e {4}\na\nb\n", ``},
		{`get e`, `"a\nb\n"` + "\n"},
		{`l v`, "a 1\nb \"two words\\n\"\nc \"one word\"\nd \"C:\\\\\"\ne \"a\\nb\\n\"\n"}, // PA-18
		{`list values a c*`, "a 1\nc \"one word\"\n"},
		{`cas a 2 3`, "no\n"},
		{`cas a 1 3`, "yes\n"},
		{`set a`, ``}, // PA-35
		{`set b ""`, ``},
		{`remove values c* nosuch`, ``},
		{`list values`, "d \"C:\\\\\"\ne \"a\\nb\\n\"\n"},
		{`set ttl=1h sync=yes d x`, ``},
		{`make socket w backlog=7 `, "w family=inet type=stream backlog=7 host=127.0.0.1 port="},
		{`ma s w backlog=8`, "Error: Socket for w has already been created - family=inet type=stream backlog=7 host=127.0.0.1\n"},
		{`remove sockets w`, ``},
	} {
		got := k.say(c.say)
		if strings.HasSuffix(c.want, "=") {
			got = got[:min(len(got), len(c.want))]
		}
		if got != c.want {
			t.Errorf("%q: it says %q, not %q", c.say, got, c.want)
		}
	}
	if rest := func() string { _, _ = k.conn.Write([]byte("q\n")); return k.closed() }(); rest != "" { // PA-24
		t.Errorf("after quit it says %q", rest)
	}
}

// TestPA17to19Help: there is help for everything, found by abbreviation, too.
func TestPA17to19Help(t *testing.T) {
	k := dial(t, kerneltest.Start(t))
	all := k.say("help")
	for _, words := range []string{"make socket", "list sockets", "remove sockets", "list values", "remove values", "set", "get", "cas", "quit", "exit-if-idle", "help", "mode", "status"} {
		if !strings.Contains(all, "\n  "+words) {
			t.Errorf("help does not know %s", words)
		}
		if one := k.say("help " + words); !strings.HasPrefix(one, words) || strings.Count(one, "\n") < 3 {
			t.Errorf("help %s: %q", words, one)
		}
	}
	if got := k.say("help l s"); !strings.HasPrefix(got, "list sockets [NAME…]\n\nList sockets") {
		t.Errorf("help l s: %q", got)
	}
	if got := k.say("help list"); !strings.Contains(got, "list sockets") || !strings.Contains(got, "list values") {
		t.Errorf("help list: %q", got)
	}
	if got := k.say("help nosuch"); !strings.HasPrefix(got, `Error: Unknown command nosuch`) {
		t.Errorf("help nosuch: %q", got)
	}
}

// machine is a talk in machine mode.
func machine(t *testing.T, o kernel.Options) *talk {
	t.Helper()
	k := dial(t, o)
	if _, err := k.conn.Write([]byte("mode machine\n")); err != nil {
		t.Fatal(err)
	}
	if got := k.frame(); got != "- ok " {
		t.Fatalf("mode machine: %q", got)
	}
	return k
}

// frame reads one reply: its head without the length, and its body.
func (k *talk) frame() string {
	k.t.Helper()
	head, err := k.in.ReadString('\n')
	if err != nil {
		return "<" + err.Error() + ">"
	}
	var n int
	at := strings.LastIndexByte(strings.TrimSpace(head), ' ')
	if _, err := fmt.Sscan(head[at+1:], &n); err != nil {
		k.t.Fatalf("a reply begins with %q", head)
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(k.in, body); err != nil {
		return "<" + err.Error() + ">"
	}
	return head[:at+1] + string(body)
}

// TestPA53MachineMode: many requests at once on one connection, each reply under its tag, any byte in values.
func TestPA53MachineMode(t *testing.T) {
	k := machine(t, kerneltest.Start(t))
	every := make([]byte, 256)
	for i := range every {
		every[i] = byte(i)
	}
	_, err := k.conn.Write(fmt.Appendf(nil, "1 set a {256}\n%s\n2 get a\nx-y cas a {256}\n%s {2}\n\r\n\n3 get a\n4 nosuch\n5\n6 get \"\n7 get a\n", every, every))
	must(t, err)
	for _, want := range []string{
		"1 ok ", "2 ok " + string(every), "x-y ok yes\n", "3 ok \r\n", `4 error usage Unknown command nosuch; "help" lists what there is`,
		"5 error usage no command after the tag", "- error usage column 7: this double quote has no end", "7 ok \r\n",
	} {
		if got := k.frame(); got != want {
			t.Errorf("it says %q, not %q", got, want)
		}
	}
	_, err = k.conn.Write([]byte(strings.Repeat("t", 33) + " get a\n"))
	must(t, err)
	if got := k.frame(); !strings.HasPrefix(got, "- error usage the tag has 33 bytes") {
		t.Errorf("a long tag: %q", got)
	}
	_, err = k.conn.Write([]byte("8 mode console\n9 get a\n"))
	must(t, err)
	if got := k.frame() + k.frame(); got != `8 ok 9 ok "\r\n"`+"\n" {
		t.Errorf("console mode: %q", got)
	}
	_, err = k.conn.Write([]byte("8 mode text\nget a\n"))
	must(t, err)
	if got := k.reply() + k.reply(); got != `"\r\n"`+"\n" {
		t.Errorf("back in text mode: %q", got)
	}
}

// TestPA10ExitIfIdle: only an idle kernel ends, when the connection does, and not if somebody comes before.
func TestPA10ExitIfIdle(t *testing.T) {
	o := kerneltest.Start(t)
	k := dial(t, o)
	must2 := func(got, want string) {
		t.Helper()
		if !strings.HasPrefix(got, want) {
			t.Errorf("it says %q, not %q", got, want)
		}
	}
	must2(k.say("set a b"), "")
	must2(k.say("exit-if-idle"), "Error: not idle: there are 1 values\n")
	must2(k.say("set a"), "")
	must2(k.say("make socket s"), "s ")
	must2(k.say("exit-if-idle"), "Error: not idle: there are 1 sockets\n")
	must2(k.say("remove sockets *"), "")
	must2(k.say("exit-if-idle"), "Exiting when this connection closes\n")
	late := dial(t, o)
	k.conn.Close()
	must2(late.say("set a c"), "") // it lives
	must2(late.say("set a"), "")
	must2(late.say("exit-if-idle"), "Exiting")
	_, _ = late.conn.Write([]byte("quit\n"))
	late.closed()
	for begin := time.Now(); ; time.Sleep(time.Millisecond) {
		c, err := kernel.Open(t.Context(), kernel.Options{Socket: o.Socket, Timeout: 20 * time.Millisecond})
		if err != nil {
			break
		}
		_ = c.Close()
		if time.Since(begin) > 30*time.Second {
			t.Fatal("it does not end")
		}
	}
}
