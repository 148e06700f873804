package stage

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

const (
	userName   = "dbporter"
	secondName = "dbguest"
)

// addUsers writes two users and their groups into the private /etc and makes their homes.
func (f *first) addUsers() error {
	s := f.stage
	first, err := freeIDs()
	if err != nil {
		return err
	}
	s.User, s.UID, s.GID, s.Home = userName, first, first, dir+"/home/"+userName
	s.Second, s.SecondUID, s.SecondGID, s.SecondHome = secondName, first+1, first+1, dir+"/home/"+secondName
	for _, u := range []struct {
		name, home string
		id         int
	}{{s.User, s.Home, s.UID}, {s.Second, s.SecondHome, s.SecondUID}} {
		// A star is a password that never fits; an exclamation mark would lock the account for ssh keys as well.
		for _, line := range []struct{ file, text string }{
			{"/etc/passwd", fmt.Sprintf("%s:x:%d:%d:stage:%s:%s", u.name, u.id, u.id, u.home, shell())},
			{"/etc/group", fmt.Sprintf("%s:x:%d:", u.name, u.id)},
			{"/etc/shadow", u.name + ":*:19000:0:99999:7:::"},
			{"/etc/gshadow", u.name + ":!::"},
		} {
			if err := addAccount(line.file, line.text); err != nil {
				return err
			}
		}
		if err := makeHome(u.home, u.id); err != nil {
			return err
		}
	}
	if f.workdir == "" {
		f.workdir = s.Home
	}
	return nil
}

func makeHome(home string, id int) error {
	for _, d := range []string{home, home + "/.ssh"} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return err
		}
		if err := os.Chown(d, id, id); err != nil {
			return err
		}
	}
	return nil
}

// addAccount appends a line and drops an older one of the same name. A file that the machine lacks stays away.
func addAccount(path, line string) error {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	name, _, _ := strings.Cut(line, ":")
	var out bytes.Buffer
	for l := range strings.Lines(string(old)) {
		if !strings.HasPrefix(l, name+":") {
			out.WriteString(strings.TrimSuffix(l, "\n") + "\n")
		}
	}
	out.WriteString(line + "\n")
	return os.WriteFile(path, out.Bytes(), 0o600) // exists, so the mode stays
}

// freeIDs finds two ids in a row that no user and no group of the machine has. They differ between stages that run at
// the same time, so that these cannot reach each other's files and processes.
func freeIDs() (int, error) {
	link, err := os.Readlink("/proc/self/ns/mnt") // mnt:[4026531832]
	if err != nil {
		return 0, err
	}
	number, err := strconv.ParseUint(strings.Trim(strings.TrimPrefix(link, "mnt:"), "[]"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("namespace %q: %w", link, err)
	}
	taken, err := takenIDs()
	if err != nil {
		return 0, err
	}
	const lowest, places = 40000, 10000
	for try := range uint64(places) {
		id := lowest + 2*int((number+try)%places)
		if !taken[id] && !taken[id+1] {
			return id, nil
		}
	}
	return 0, fmt.Errorf("no free user id from %d on", lowest)
}

func takenIDs() (map[int]bool, error) {
	taken := map[int]bool{}
	for _, path := range []string{"/etc/passwd", "/etc/group"} {
		text, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		for l := range strings.Lines(string(text)) {
			if fields := strings.Split(l, ":"); len(fields) > 2 {
				if id, err := strconv.Atoi(fields[2]); err == nil {
					taken[id] = true
				}
			}
		}
	}
	return taken, nil
}

// setPassword gives User a password through the system's own tool, which knows what its PAM accepts.
func (f *first) setPassword() error {
	var b [9]byte
	rand.Read(b[:])
	f.stage.Password = hex.EncodeToString(b[:])
	cmd := exec.Command("chpasswd")
	cmd.Stdin = strings.NewReader(f.stage.User + ":" + f.stage.Password + "\n")
	if out, err := f.reaper.output(cmd); err != nil {
		f.stage.Password, f.stage.Why[PasswordSet] = "", fmt.Sprintf("chpasswd: %v %.80q", err, out)
	}
	return nil
}

func shell() string {
	if _, err := os.Stat("/bin/bash"); err == nil {
		return "/bin/bash"
	}
	return "/bin/sh"
}
