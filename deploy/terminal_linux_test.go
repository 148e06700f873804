package deploy

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// terminal returns both ends of one.
func terminal(t *testing.T) (near, far *os.File) {
	t.Helper()
	near, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Skip("NOT TESTED, no terminals: ", err)
	}
	t.Cleanup(func() { near.Close() })
	n, err := unix.IoctlGetInt(int(near.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetPointerInt(int(near.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	far, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { far.Close() })
	return near, far
}

// TestATerminalInBetween: a program that is there is found; one that is not cannot pass.
func TestATerminalInBetween(t *testing.T) {
	for name, shell := range shells(t) {
		t.Run(name, func(t *testing.T) {
			f := farIn(t, shell, t.TempDir())
			through := func() (Result, error) {
				near, tty := terminal(t)
				p, err := Prepare(Options{On: true})
				if err != nil {
					t.Fatal(err)
				}
				argv := append(append([]string{}, f.shell...), p.Argv()[1:]...)
				cmd := exec.Command(argv[0], argv[1:]...)
				cmd.Env, cmd.Dir, cmd.Stdin = f.env, "/", tty
				if os.Geteuid() == 0 {
					cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
				}
				out, err := cmd.StdoutPipe()
				if err != nil {
					t.Fatal(err)
				}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				r, failed := p.Meet(Link{In: near, Out: out, Noise: io.Discard})
				_, _ = near.Write([]byte{4}) // what ends the input of a terminal
				_, _ = io.Copy(io.Discard, out)
				_ = cmd.Wait()
				return r, failed
			}
			if r, err := through(); err == nil || !strings.Contains(err.Error(), "a terminal is in the way") {
				t.Errorf("%+v, %v", r, err)
			}
			if _, _, _, err := f.call(t, Options{}); err != nil {
				t.Fatal(err)
			}
			if r, err := through(); err != nil || r.Path == "" || r.Pushed {
				t.Errorf("%+v, %v", r, err)
			}
		})
	}
}
