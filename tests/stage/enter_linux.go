package stage

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
)

const file = dir + "/stage.json"

// Enter goes into a private place, and is the first thing in main, or in TestMain after delivery.Main.
//
// It returns inside, as the ordinary user or with StayRoot as root. In the process that called it, it does not
// return: that one passes signals on, waits, calls Options.After and exits as the inner one did. Where no stage can be
// built it returns at once, outside, and [Stage.Skips] says why. A process started from inside gets the same stage.
func Enter(o Options) *Stage {
	switch os.Getenv(roleVar) {
	case roleInit:
		if os.Getpid() == 1 {
			os.Exit(runInit(o))
		}
	case roleInside:
		if s, err := load(); err == nil {
			return s
		}
	}
	if os.Geteuid() != 0 {
		return outside()
	}
	r := runOuter(o)
	if r.Err != nil && r.ExitCode == 0 {
		return without(r.Err.Error(), features...)
	}
	if o.After != nil {
		o.After(r)
	}
	leave(r)
	return nil
}

// load reads what the first process of the namespace wrote.
func load() (*Stage, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &Stage{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("stage: %s: %w", file, err)
	}
	s.Root = &Root{socket: rootSocket, stage: s}
	return s, nil
}

// outside describes what an ordinary user can do on this machine without a stage.
func outside() *Stage {
	s := without("a private place needs root, and this is uid "+strconv.Itoa(os.Getuid()), features...)
	if me, err := user.Current(); err == nil {
		s.User, s.Home, s.UID, s.GID = me.Username, me.HomeDir, os.Getuid(), os.Getgid()
	}
	if exe, err := os.Executable(); err == nil {
		s.Binary = exe
	}
	probe(s, Sudo, "sudo", "-n", "true")
	probe(s, Userns, "unshare", "--user", "true")
	return s
}

// probe finds out whether a feature works by using it once.
func probe(s *Stage, feature, command string, args ...string) {
	out, err := exec.Command(command, args...).CombinedOutput()
	if err != nil {
		s.Why[feature] = fmt.Sprintf("%s: %v %.80q", command, err, out)
		return
	}
	delete(s.Why, feature)
}
