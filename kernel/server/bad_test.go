package server_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/kernel"
	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
	"github.com/seed354a1416/deliveryboy/kernel/line"
	"github.com/seed354a1416/deliveryboy/kernel/server"
)

// TestPA20BadLines: what is wrong gets a text that says what, and the connection goes on. The numbers are those of the list
// of bad input.
func TestPA20BadLines(t *testing.T) {
	k := dial(t, kerneltest.Start(t))
	k.say("make socket taken")
	for _, c := range []struct{ name, say, want string }{
		{"91 duplicate name", "make socket taken backlog=9", `Socket for taken has already been created - family=inet type=stream backlog=5 host=127.0.0.1`},
		{"92 unknown socket", "make process p /bin/echo $(socket.nope.fileno)", `Socket nope not found`},
		{"93 unclosed", "make process p /bin/echo a$(socket.taken.fileno", `column 2 begins a socket reference`},
		{"95 output cap", "make process p bufsize=99999g /bin/true", `bufsize`},
		{"88 unknown verb", "frobnicate x", `Unknown command frobnicate; "help" lists what there is`},
		{"88 unknown verb, like an option", "-x", `Unknown command -x;`},
		{"PA-20 second word", "list nonsense", `Bad "list" command. The following word must be one of: `},
		{"PA-20 no second word", "list", `"list" must be followed by one of: `},
		{"PA-10 whole word", "exit", `Unknown command exit;`},
		{"90 slash", "set a/b x", `Value name a/b: byte 2 must be one of`},
		{"90 space", `set "a b" x`, `Value name "a b": byte 2 must be one of`},
		{"90 NUL", `set "a\x00b" x`, `Value name "a\x00b": byte 2 must be one of`},
		{"90 raw NUL", "set a\x00b x", `column 6: a NUL byte`},
		{"90 leading dot", "set .a x", `Value name .a: it must not begin with a dot`},
		{"90 empty", `set "" x`, `A value requires a name`},
		{"90 long", "set " + strings.Repeat("n", 129) + " x", `it has 129 bytes; there may be 128`},
		{"90 socket", "make socket a/b", `Socket name a/b: byte 2`},
		{"PA-35 no name", "set", `Value requires a name`},
		{"PA-35 star", "set * x", `Value requires a name`},
		{"PA-35 two words", "set a b c", `has a word too many, c; blanks belong in quotes`},
		{"get without", "get", `"get" needs more words: get NAME`},
		{"PA-38 none", "remove values", `You cannot remove all variables`},
		{"PA-38 all", "remove values a *", `You cannot remove all variables`},
		{"PA-14 sockets", "remove sockets", `Which sockets? "*" is all of them`},
		{"star within", "list values a*b", `Value name a*b: byte 2`},
		{"94 invalid UTF-8 command", "\xff\xfe", `Unknown command "\xff\xfe";`},
		{"94 invalid UTF-8 name", "get \xff", `Value name "\xff": byte 1`},
		{"escape sequence", "\x1b]0;owned\x07", `Unknown command "\x1b]0;owned\x07";`},
		{"open quote", `set a "b`, `column 7: this double quote has no end`},
		{"open single quote", `set a 'b`, `column 7: this single quote has no end`},
		{"bad escape", `set a "\q"`, `column 8: \q is no escape`},
		{"bad number", `set a "\xg0"`, `column 8: \x needs two hexadecimal digits`},
		{"end in a backslash", `set a \`, `column 7: a backslash at the end`},
		{"bad time", "set ttl=soon a b", `ttl soon: it must be a time such as 90s or 24h`},
		{"negative time", "set ttl=-1s a b", `ttl -1s`},
		{"unknown option", "set tll=1s a b", `Unknown option tll; there are: ttl sync`},
		{"option twice", "make socket a port=1 port=2", `Option port is there twice`},
		{"no option", "make socket a 8080", `8080 is no option; write KEY=VALUE`},
		{"port range", "make socket a port=65536", `Port 65536: it must be between 0 and 65535`},
		{"port no number", "make socket a port=http", `Port http: a whole number is needed`},
		{"family", "make socket a family=ax25", `Family ax25: it must be inet, inet6 or unix`},
		{"type", "make socket a type=odd", `Type odd: it must be stream or dgram`},
		{"raw and rdm", "make socket x type=rdm", `Type rdm: no family of sockets here has it, only TIPC does`},
		{"raw and rdm", "make socket x type=raw", `Protocol 0: a raw socket needs the number of one`},
		{"raw and rdm", "make socket x type=raw protocol=256", `Protocol 256: a raw socket needs`},
		{"raw and rdm", "make socket x type=raw protocol=1 port=5", `Port and reuseport are not for raw sockets`},
		{"raw and rdm", "make socket x type=raw protocol=1 path=/x", `Type raw: unix sockets have none`},
		{"raw and rdm", "make socket x type=raw protocol=1 backlog=1", `Backlog: a raw socket has none`},
		{"raw and rdm", "make socket x protocol=1", `Protocol 1: it is for raw sockets`},
		{"host", "make socket a host=example.com", `Host example.com: it must be an address of family inet`},
		{"PA-26 relative", "make socket a path=x", `Path x: it must be absolute and not end with a slash`},
		{"PA-26 slash", "make socket a path=/tmp/", `Path /tmp/: it must be absolute and not end with a slash`},
		{"path too long", "make socket a path=/" + strings.Repeat("p", 107), `it has 108 bytes; there may be 107`},
		{"umask", "make socket a path=/x umask=9", `Umask 9: it must be octal`},
		{"PA-34 bind", "make socket a host=203.0.113.7", `Bind failed on 203.0.113.7:0: `},
		{"mode", "mode fancy", `The mode must be machine, console or text`},
		{"cas too short", "cas a b", `"cas" needs more words`},
		{"a value over the limit", fmt.Sprintf("set a {%d}\n%s", 4<<20+1, strings.Repeat("v", 4<<20+1)), `Value a has 4194305 bytes; there may be 4194304`},
	} {
		if got := k.say(c.say); !strings.HasPrefix(got, "Error: "+c.want) && !(strings.HasPrefix(got, "Error: ") && strings.Contains(got, c.want)) || strings.Count(got, "\n") != 1 {
			t.Errorf("%s: it says %q", c.name, got)
		}
	}
	if got := k.say("set still here"); got != "" {
		t.Errorf("after all that it says %q", got)
	}
}

// TestEndings: what ends a connection, with one line that says why, and nobody else's.
func TestEndings(t *testing.T) {
	o := kerneltest.Start(t)
	other := dial(t, o)
	for _, c := range []struct {
		name, send, want string
	}{
		{"85 HTTP", "GET / HTTP/1.1\r\nHost: localhost:20202\r\n\r\n", "Error: this is no web server; closing\n"},
		{"85 HTTP POST of a command", "POST /x HTTP/1.1\r\nContent-Length: 30\r\n\r\nset owned yes\n", "Error: this is no web server; closing\n"},
		{"86 long line", "set a " + strings.Repeat("x", 64<<10), "Error: a line has more than 65536 bytes; send long values as {N} and N bytes; closing\n"},
		{"86 endless line", strings.Repeat("x", 1<<20), "Error: a line has more than 65536 bytes"},
		{"literal over the limit", "set a {8388609}\n", "Error: literals of 8388609 bytes; there may be 8388608 in a command; closing\n"},
		{"literals over the limit", "cas a {1}\nx {8388608}\n", "Error: literals of 8388609 bytes"},
	} {
		k := dial(t, o)
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			_, _ = k.conn.Write([]byte(c.send)) // it may hang up before all of it is sent
		}()
		if got := k.closed(); !strings.HasPrefix(got, c.want) || strings.Contains(strings.TrimSuffix(got, kernel.Prompt), kernel.Prompt) {
			t.Errorf("%s: it says %q", c.name, got)
		}
		<-sent
		if got := other.say("get owned"); got != "" {
			t.Errorf("%s: another connection hears %q", c.name, got)
		}
	}
}

// TestRights: open files that nobody asked for end the connection, and do not stay open (97).
func TestRights(t *testing.T) {
	o := kerneltest.Start(t)
	dial(t, o).say("help") // from here on it has all that it opens for itself
	for _, n := range []int{1, 253} {
		before := descriptors(t)
		k := dial(t, o)
		fds := make([]int, n)
		null, err := os.Open(os.DevNull)
		must(t, err)
		for i := range fds {
			fds[i] = int(null.Fd())
		}
		_, _, err = k.conn.WriteMsgUnix([]byte("set a b\n"), unix.UnixRights(fds...), nil)
		must(t, err)
		if got := k.closed(); got != "Error: open files were sent; this protocol takes none; closing\n"+kernel.Prompt {
			t.Errorf("%d files: it says %q", n, got)
		}
		null.Close()
		k.conn.Close()
		for begin := time.Now(); descriptors(t) > before; time.Sleep(time.Millisecond) {
			if time.Since(begin) > 30*time.Second {
				t.Fatalf("%d files: %d descriptors are open, before it were %d", n, descriptors(t), before)
			}
		}
	}
	if got := dial(t, o).say("get a"); got != "" {
		t.Errorf("the command that came with files was carried out: %q", got)
	}
}

func descriptors(t *testing.T) int {
	t.Helper()
	list, err := os.ReadDir("/dev/fd")
	must(t, err)
	return len(list)
}

// TestT51LiteralOfABadLine: bytes that follow a line that is wrong are never taken for commands (T51).
func TestT51LiteralOfABadLine(t *testing.T) {
	k := dial(t, kerneltest.Start(t))
	for _, start := range []string{`nosuch a`, `set "open`, `set a "\q"`, `set a/b`} {
		evil := "\nset owned yes\n"
		if got := k.say(fmt.Sprintf("%s {%d}\n%s", start, len(evil), evil)); !strings.HasPrefix(got, "Error: ") {
			t.Errorf("%s: it says %q", start, got)
		}
		if got := k.say("get owned"); got != "" {
			t.Fatalf("%s: the bytes were carried out: %q", start, got)
		}
	}
}

// TestHangUp: a connection whose peer dies in the middle of a line leaves nothing.
func TestHangUp(t *testing.T) {
	o := kerneltest.Start(t)
	for _, text := range []string{"", "set a", "set a {10}\nhalf", "set a b\nset c d"} {
		k := call(t, o)
		_, err := k.conn.Write([]byte(text))
		must(t, err)
		k.conn.Close()
	}
	k := dial(t, o)
	for begin := time.Now(); !strings.Contains(k.say("status"), "connections=1\n"); time.Sleep(time.Millisecond) {
		if time.Since(begin) > 30*time.Second {
			t.Fatal("connections of those who left stay")
		}
	}
	if got := k.say("get c"); got != "" {
		t.Errorf("a line without an end was carried out: %q", got)
	}
}

// TestStateDirectory: a place for the state that is not this user's alone is refused.
func TestStateDirectory(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct {
		name, want string
		make       func(path string) error
	}{
		{"others may read", "others have access", func(p string) error { return os.Mkdir(p, 0o755) }},
		{"a file", "it is no directory", func(p string) error { return os.WriteFile(p, nil, 0o600) }},
		{"a link", "it is no directory", func(p string) error { return os.Symlink(t.TempDir(), p) }},
		{"below others/state", "can be changed by group or others", func(p string) error {
			return errors.Join(os.MkdirAll(p, 0o700), os.Chmod(filepath.Dir(p), 0o777))
		}},
	} {
		path := dir + "/" + strings.ReplaceAll(c.name, " ", "")
		must(t, c.make(path))
		_, err := server.New(server.Options{Listener: new(net.UnixListener), State: path})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

// FuzzCommands: whatever comes, the server stays, and answers the next connection.
func FuzzCommands(f *testing.F) {
	for _, s := range []string{"set a b\n", "mode machine\n1 get a\n2 set a {3}\nabc\n", "help l s\nquit\n", "exit\n", "make socket x path=/dev/null/x\n", "watch processes *\n\nq\n", "list values a* b\n", "\x00\xff{3}\n"} {
		f.Add([]byte(s))
	}
	o := kerneltest.Start(f)
	f.Fuzz(func(t *testing.T, text []byte) {
		if doesSomething(string(text)) {
			t.Skip("it would start programs, or take ports, or end the kernel")
		}
		conn, err := net.DialUnix("unix", nil, &net.UnixAddr{Name: o.Socket, Net: "unix"})
		must(t, err)
		defer conn.Close()
		must(t, conn.SetDeadline(time.Now().Add(30*time.Second)))
		go func() {
			_, _ = conn.Write(text)
			_ = conn.CloseWrite()
		}()
		if _, err := io.Copy(io.Discard, conn); err != nil && !strings.Contains(err.Error(), syscall.ECONNRESET.Error()) {
			t.Fatalf("%q: %v", text, err)
		}
		words, _, err := line.Split(string(bytes.SplitN(text, []byte("\n"), 2)[0]))
		if err == nil && len(words) > 0 {
			if again, _, err := line.Split(line.Join(words...)); err != nil || strings.Join(again, "\x00") != strings.Join(words, "\x00") {
				t.Errorf("%q is joined as %q", words, line.Join(words...))
			}
		}
	})
}

// doesSomething reports whether a line may begin with a command that reaches out of the kernel, with a tag before it or not.
func doesSomething(text string) bool {
	for l := range strings.Lines(text) {
		words, _, err := line.Split(strings.TrimSpace(l))
		if err != nil { // what is wrong here may end a literal, and be right there
			words = strings.Fields(l)
		}
		for _, w := range words[:min(len(words), 2)] {
			for _, command := range []string{"make", "exit-if-idle", "upgrade", "stop", "signal", "send"} {
				if w != "" && strings.HasPrefix(command, w) && !strings.HasPrefix("se", w) {
					return true
				}
			}
		}
	}
	return false
}
