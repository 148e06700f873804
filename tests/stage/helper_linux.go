package stage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// serveRoot answers the calls of [Root]. Only User, who has sudo rights anyway, and root may connect.
func (f *first) serveRoot() error {
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: rootSocket, Net: "unix"})
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chmod(rootSocket, 0o600), os.Chown(rootSocket, f.stage.UID, f.stage.GID)); err != nil {
		return err
	}
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				return
			}
			f.answer(c) // one after the other: calls change the same files
		}
	}()
	return nil
}

func (f *first) answer(c *net.UnixConn) {
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(callTimeout)); err != nil {
		return
	}
	var a reply
	var q request
	err := f.allowed(c)
	if err == nil {
		err = json.NewDecoder(io.LimitReader(c, maxFile)).Decode(&q)
	}
	if err == nil {
		err = f.obeyCall(q, &a)
	}
	if err != nil {
		a.Err = err.Error()
		errors.As(err, &a.Errno)
	}
	_ = json.NewEncoder(c).Encode(a) // a caller that has gone needs no answer
}

func (f *first) allowed(c *net.UnixConn) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err := errors.Join(err, credErr); err != nil {
		return err
	}
	if uid := int(cred.Uid); uid != 0 && uid != f.stage.UID {
		return fmt.Errorf("user %d may not call the root helper", uid)
	}
	return nil
}

func (f *first) obeyCall(q request, a *reply) (err error) {
	switch q.Verb {
	case "kill":
		if q.PID <= 1 {
			return fmt.Errorf("process %d: one ordinary process, not the first and not a group", q.PID)
		}
		return unix.Kill(q.PID, q.Sig)
	case "ps":
		a.Processes, err = processes()
		return err
	case "sudoers":
		return f.setRules(q.Text)
	case "sshd":
		a.PID, err = f.restartSSHD(q.Text)
		return err
	case "network":
		return f.network(q.Text)
	case "read", "link", "list":
		return readProc(q, a)
	}
	return fmt.Errorf("no verb is called %.80q", q.Verb)
}

func (f *first) restartSSHD(key string) (int, error) {
	if key != "host" && key != "other" {
		return 0, fmt.Errorf("no host key is called %.80q", key)
	}
	if f.sshd == nil {
		return 0, errors.New("no sshd runs here: " + f.stage.Why[SSH])
	}
	f.sshd.stop()
	if err := f.startSSHD(filepath.Join(sshDir, key)); err != nil {
		return 0, err
	}
	return f.stage.SSHDPID, f.describe()
}

func readProc(q request, a *reply) error {
	// /proc/PID/root and /proc/PID/cwd lead out of /proc.
	parts := strings.Split(strings.TrimPrefix(q.Text, "/proc/"), "/")
	if !strings.HasPrefix(q.Text, "/proc/") || filepath.Clean(q.Text) != q.Text {
		return fmt.Errorf("%.80q is not a clean path below /proc", q.Text)
	}
	if len(parts) > 2 && (slices.Contains(parts, "root") || slices.Contains(parts, "cwd")) {
		return fmt.Errorf("%.80q leads out of /proc", q.Text)
	}
	switch q.Verb {
	case "link":
		to, err := os.Readlink(q.Text)
		a.Data = []byte(to)
		return err
	case "list":
		entries, err := os.ReadDir(q.Text)
		for _, e := range entries {
			a.Names = append(a.Names, e.Name())
		}
		slices.SortFunc(a.Names, byNumber)
		return err
	}
	file, err := os.OpenFile(q.Text, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	a.Data, err = io.ReadAll(io.LimitReader(file, maxFile))
	return err
}

// byNumber sorts descriptors and process numbers as numbers, and other names after them.
func byNumber(a, b string) int {
	x, errX := strconv.Atoi(a)
	y, errY := strconv.Atoi(b)
	switch {
	case errX == nil && errY == nil:
		return x - y
	case errX == nil:
		return -1
	case errY == nil:
		return 1
	}
	return strings.Compare(a, b)
}
