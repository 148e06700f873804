package server_test

import (
	"net"
	"os"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/kernel/kerneltest"
)

// TestPA26UnixSocket: mode, owner of the path, what is replaced and what is not, and the end of the file.
func TestPA26UnixSocket(t *testing.T) {
	o := kerneltest.Start(t)
	k := dial(t, o)
	dir, err := os.MkdirTemp("", "kernel")
	must(t, err)
	defer os.RemoveAll(dir)
	path := dir + "/s"
	mode := func() os.FileMode {
		info, err := os.Lstat(path)
		must(t, err)
		return info.Mode().Perm()
	}
	for umask, want := range map[string]os.FileMode{"": 0o700, "umask=0": 0o777, "umask=007": 0o770, "umask=777": 0} {
		if got := k.say("make socket u path=" + path + " " + umask); !strings.HasPrefix(got, "u family=unix type=stream backlog=5 path="+path+" umask=") {
			t.Fatalf("%s: it says %q", umask, got)
		}
		if mode() != want {
			t.Errorf("%s: mode %04o, not %04o", umask, mode(), want)
		}
		if got := k.say("make socket u2 path=" + path); !strings.HasPrefix(got, "Error: Socket u has the path "+path+" already") {
			t.Errorf("the path again: %q", got)
		}
		if got := k.say("remove sockets u"); got != "" {
			t.Errorf("remove: %q", got)
		}
		if _, err := os.Lstat(path); !os.IsNotExist(err) {
			t.Errorf("the file is left: %v", err)
		}
	}

	must(t, os.WriteFile(path, []byte("precious"), 0o600))
	if got := k.say("make socket u path=" + path); !strings.HasPrefix(got, "Error: Bind failed on "+path+": what is there is no socket of this user's; it stays") {
		t.Errorf("a file in its place: %q", got)
	}
	must(t, os.Remove(path))
	must(t, os.Symlink(dir+"/elsewhere", path))
	if got := k.say("make socket u path=" + path); !strings.HasPrefix(got, "Error: Bind failed") {
		t.Errorf("a link in its place: %q", got)
	}
	must(t, os.Remove(path))
	alive, err := net.Listen("unix", path)
	must(t, err)
	if got := k.say("make socket u path=" + path); !strings.HasPrefix(got, "Error: Bind failed on "+path+": another server is there") {
		t.Errorf("a server in its place: %q", got)
	}
	alive.(*net.UnixListener).SetUnlinkOnClose(false)
	alive.Close()
	for _, kind := range []string{"seqpacket", "dgram", "stream"} { // what a dead server left is replaced
		if got := k.say("make socket u type=" + kind + " path=" + path); !strings.HasPrefix(got, "u family=unix type="+kind) {
			t.Errorf("a dead socket in its place: %q", got)
		}
		must(t, os.Rename(path, path+".kept"))
		must(t, os.WriteFile(path, nil, 0o600))
		if got := k.say("remove sockets u"); got != "" {
			t.Error(got)
		}
		if _, err := os.Lstat(path); err != nil {
			t.Errorf("what somebody put in its place was removed: %v", err)
		}
		must(t, os.Rename(path+".kept", path))
	}
}

// TestPA27to29Kinds: dgram, interface, addresses of IPv6, and ports that many share.
func TestPA27to29Kinds(t *testing.T) {
	k := dial(t, kerneltest.Start(t))
	for _, c := range []struct{ say, want string }{
		{"make socket d type=dgram", "d family=inet type=dgram host=127.0.0.1 port="},
		{"make socket i interface=lo", "i family=inet type=stream backlog=5 host=0.0.0.0 port="},
		{"make socket r reuseport=1", "r family=inet type=stream backlog=5 host=127.0.0.1 port="},
		{"make socket rd reuseport=1 type=dgram", "rd family=inet type=dgram host=127.0.0.1 port="},
		{"make socket six family=inet6", "six family=inet6 type=stream backlog=5 host=::1 port="},
		{"make socket six2 family=inet6 interface=lo", "six2 family=inet6 type=stream backlog=5 host=:: port="},
	} {
		got := k.say(c.say)
		if strings.Contains(got, "operation not permitted") || strings.Contains(got, "cannot assign") || strings.Contains(got, "not supported") || strings.Contains(got, "needs Linux") {
			t.Logf("NOT TESTED here: %s: %s", c.say, got)
			continue
		}
		if !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: it says %q", c.say, got)
		}
		if strings.Contains(c.say, "reuseport") == strings.Contains(got, "fileno=") {
			t.Errorf("%s: fileno: %q", c.say, got)
		}
	}
}
