package stage

import (
	"fmt"
	"os"
	"os/exec"
)

const rulesFile = "/etc/sudoers.d/stage"

// sudoers has the settings; the rules are in a file of their own, which Root.SetSudoers replaces. Log, mail and lecture
// are off because they write outside of the stage. GORACE matters to programs built with -race only, which otherwise wait
// for a second before they exit.
const sudoers = `Defaults env_reset
Defaults secure_path="` + securePath + `"
Defaults !syslog, !mailerpath, lecture=never, !use_pty
Defaults env_keep += "GORACE"
root ALL=(ALL:ALL) NOPASSWD: ALL
#includedir /etc/sudoers.d
`

// rules let User become root and Second, and nobody else.
const rules = userName + " ALL=(root," + secondName + ":ALL) NOPASSWD: ALL\n"

func (f *first) setUpSudo() error {
	s := f.stage
	if err := os.RemoveAll("/etc/sudoers.d"); err != nil {
		return err
	}
	if err := os.Mkdir("/etc/sudoers.d", 0o755); err != nil {
		return err
	}
	if err := writeAs("/etc/sudoers", []byte(sudoers), 0o440, 0, 0); err != nil {
		return err
	}
	if err := writeAs(rulesFile, []byte(rules), 0o440, 0, 0); err != nil {
		return err
	}
	s.Rules = rules
	if !installed("sudo") {
		s.Why[Sudo] = "sudo is not installed; run: go run ./tests/stage/install"
		return nil
	}
	cmd := exec.Command("sudo", "-n", "id", "-u")
	cmd.Env = []string{"PATH=" + securePath, "LANG=C"}
	cmd.Dir = "/"
	out, err := f.reaper.outputAs(cmd, s.UID, s.GID)
	if err != nil || string(out) != "0\n" {
		s.Why[Sudo] = fmt.Sprintf("sudo -n as uid %d: %v %.200q", s.UID, err, out)
	}
	return nil
}

func installed(command string) bool {
	_, err := exec.LookPath(command)
	return err == nil
}

// setRules checks the text with visudo before it counts, as a broken file would end all sudo.
func (f *first) setRules(text string) error {
	draft := dir + "/rules"
	if err := writeAs(draft, []byte(text), 0o440, 0, 0); err != nil {
		return err
	}
	defer os.Remove(draft)
	if out, err := f.reaper.output(exec.Command("visudo", "-c", "-q", "-f", draft)); err != nil {
		return fmt.Errorf("visudo: %w %.200q", err, out)
	}
	return writeAs(rulesFile, []byte(text), 0o440, 0, 0)
}
