//go:build linux

package passwords

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/password"
	"github.com/seed354a1416/deliveryboy/transport"
)

// roleVariable makes this program one that a person runs at a terminal.
const roleVariable = "PASSWORDS_ROLE"

// playPerson calls a function as root, and asks the person.
func playPerson() int {
	got, err := look.On(delivery.Once{Via: transport.Sudo{ResetTicket: true}, Ask: password.Terminal()})()
	if err != nil {
		fmt.Printf("failed: %v\n", err)
		return 1
	}
	fmt.Printf("uid is %d\n", got.UID)
	return 0
}

// TestAtATerminal has a person answer, who sees the question and not the answer.
func TestAtATerminal(t *testing.T) {
	needs(t)
	rules(t, "Defaults pwfeedback")
	for name, c := range map[string]struct{ keys, want string }{
		"right":  {st.Password + "\n", "uid is 0"},
		"wrong":  {"wrong\n", transport.ReasonWrong},
		"none":   {"\x04", "there is none"},
		"ctrl-c": {"half\x03", "^C"},
	} {
		t.Run(name, func(t *testing.T) {
			seen, err := atTerminal(t, "password for "+st.User+": ", c.keys)
			if name == "ctrl-c" {
				if err == nil || !strings.Contains(err.Error(), "interrupt") {
					t.Errorf("%v: %s", err, seen)
				}
				sweep(t)
				return
			}
			if !strings.Contains(seen, c.want) || strings.Contains(seen, strings.TrimSpace(c.keys)) && c.keys != "\x04" && c.keys != "wrong\n" {
				t.Errorf("%v: %s", err, seen)
			}
		})
	}
	leavesNothing(t)
}

// sweep takes away what a program has left that a signal ended: a socket and links, which the next one would.
func sweep(t *testing.T) {
	t.Helper()
	left, _ := filepath.Glob("/tmp/deliveryboy-ask-*")
	if len(left) != 1 {
		t.Errorf("left: %q", left)
	}
	for _, dir := range left {
		files, err := os.ReadDir(dir)
		if err != nil || len(files) != 3 {
			t.Errorf("%v, %v", files, err)
		}
		for _, f := range files {
			if f.Type().IsRegular() {
				t.Errorf("%v has a file", f)
			}
		}
		os.RemoveAll(dir)
	}
}

// atTerminal runs the role at a terminal of its own, types keys after the prompt, and returns what was to be seen.
func atTerminal(t *testing.T, prompt, keys string) (seen string, err error) {
	t.Helper()
	person, tty := terminal(t)
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(limited(t), program)
	cmd.Env = append(os.Environ(), roleVariable+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = tty, tty, tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	tty.Close()
	var shown bytes.Buffer
	buf := make([]byte, 4096)
	for typed := false; ; {
		_ = person.SetReadDeadline(time.Now().Add(3 * time.Minute))
		n, err := person.Read(buf) // EIO when the program has ended
		shown.Write(buf[:n])
		if !typed && strings.Contains(shown.String(), prompt) {
			typed = true
			if _, err := person.WriteString(keys); err != nil {
				t.Error(err)
			}
		}
		if err != nil {
			break
		}
	}
	err = cmd.Wait()
	return shown.String(), err
}

func terminal(t *testing.T) (person, tty *os.File) {
	t.Helper()
	person, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NONBLOCK|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("no terminal can be made here: ", err)
	}
	t.Cleanup(func() { person.Close() })
	raw, err := person.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var n int
	err = raw.Control(func(fd uintptr) {
		_ = unix.IoctlSetPointerInt(int(fd), unix.TIOCSPTLCK, 0) // else the next line fails
		n, _ = unix.IoctlGetInt(int(fd), unix.TIOCGPTN)
	})
	if err == nil {
		tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	}
	if err != nil {
		t.Fatal(err)
	}
	return person, tty
}
