package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"syscall"
	"time"
)

const (
	rootSocket  = "/run/stage/root.sock"
	callTimeout = 30 * time.Second
	maxFile     = 1 << 20 // bytes that ReadFile returns at most
)

// Root does a few things as root for a test that runs as the ordinary user. It exists only inside a stage, and asks
// the first process of the namespace. Every call ends within 30 seconds.
type Root struct {
	socket string
	stage  *Stage
}

// A Process is one entry of the process table of the stage.
type Process struct {
	PID, PPID int
	UID       int      // the effective user
	State     string   // the letter from /proc/PID/status; Z is a zombie
	Argv      []string // empty for a zombie
}

type request struct {
	Verb string
	PID  int            `json:",omitempty"`
	Sig  syscall.Signal `json:",omitempty"`
	Text string         `json:",omitempty"` // a path, or sudo rules
}

type reply struct {
	Err       string
	Errno     syscall.Errno // the system's error in Err, if there is one, so that errors.Is works on the other side
	Data      []byte
	Names     []string
	Processes []Process
	PID       int
}

// Kill sends a signal to any process of the stage but its first.
func (r *Root) Kill(pid int, sig syscall.Signal) error {
	_, err := r.call(request{Verb: "kill", PID: pid, Sig: sig})
	return err
}

// ReadFile reads a file below /proc, at most 1 MiB of it.
func (r *Root) ReadFile(path string) ([]byte, error) {
	a, err := r.call(request{Verb: "read", Text: path})
	return a.Data, err
}

// ReadLink reads a link below /proc, such as /proc/7/exe.
func (r *Root) ReadLink(path string) (string, error) {
	a, err := r.call(request{Verb: "link", Text: path})
	return string(a.Data), err
}

// ReadDir lists a directory below /proc, such as /proc/7/fd, sorted.
func (r *Root) ReadDir(path string) ([]string, error) {
	a, err := r.call(request{Verb: "list", Text: path})
	return a.Names, err
}

// Processes lists every process of the stage.
func (r *Root) Processes() ([]Process, error) {
	a, err := r.call(request{Verb: "ps"})
	return a.Processes, err
}

// Alive reports whether the process is there and has not ended; a zombie has.
func (r *Root) Alive(pid int) (bool, error) {
	list, err := r.Processes()
	if err != nil {
		return false, err
	}
	for _, p := range list {
		if p.PID == pid {
			return p.State != "Z" && p.State != "X", nil
		}
	}
	return false, nil
}

// SetSudoers replaces the rules of the stage until the end of the test; [Stage.Rules] has the usual ones. The whole
// stage sees them, so the test must not be parallel.
func (r *Root) SetSudoers(t TB, text string) {
	t.Helper()
	t.Cleanup(func() {
		if _, err := r.call(request{Verb: "sudoers", Text: r.stage.Rules}); err != nil {
			t.Fatal(err)
		}
	})
	if _, err := r.call(request{Verb: "sudoers", Text: text}); err != nil {
		t.Fatal(err)
	}
}

// RestartSSHD restarts the server on the same port with another host key, until the end of the test, so that
// [Stage.KnownHosts] is wrong. Sessions go on. The whole stage sees it, so the test must not be parallel.
func (r *Root) RestartSSHD(t TB) {
	t.Helper()
	restart := func(key string) {
		t.Helper()
		a, err := r.call(request{Verb: "sshd", Text: key})
		if err != nil {
			t.Fatal(err)
		}
		r.stage.SSHDPID = a.PID
	}
	t.Cleanup(func() { restart("host") })
	restart("other")
}

func (r *Root) call(q request) (reply, error) {
	if r == nil {
		return reply{}, errors.New("stage: there is no root helper outside of a stage; call NeedRoot first")
	}
	c, err := net.DialTimeout("unix", r.socket, callTimeout)
	if err != nil {
		return reply{}, fmt.Errorf("stage: root helper: %w", err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return reply{}, fmt.Errorf("stage: root helper: %w", err)
	}
	if err := json.NewEncoder(c).Encode(q); err != nil {
		return reply{}, fmt.Errorf("stage: root helper: %w", err)
	}
	var a reply
	if err := json.NewDecoder(c).Decode(&a); err != nil {
		return reply{}, fmt.Errorf("stage: root helper: %w", err)
	}
	if a.Err != "" {
		return a, &rootError{text: "stage: " + q.Verb + ": " + a.Err, errno: a.Errno}
	}
	return a, nil
}

// rootError is an error that the helper met.
type rootError struct {
	text  string
	errno syscall.Errno
}

func (e *rootError) Error() string { return e.text }

func (e *rootError) Unwrap() error {
	if e.errno == 0 {
		return nil
	}
	return e.errno
}
