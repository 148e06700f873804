package doctor

import (
	"context"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/seed354a1416/deliveryboy/transport"
)

// ssh looks at what ssh's configuration comes to for a hop: keys, agent, known hosts. Without a
// key it may still ask for a password.
func ssh(ctx context.Context, hop transport.SSH, argv []string, asks bool) []Finding {
	hop.NoShare = true // there is nothing to share: it only says its settings
	run, err := transport.Build(hop, argv)
	if err != nil {
		return []Finding{{Check: checkConfig, Severity: Error, What: oneLine(err.Error()), Fix: "Install the OpenSSH client from its package, or correct the spec."}}
	}
	out, said, status, err := ask(ctx, slices.Insert(slices.Clone(run), 1, "-G")...)
	if ctx.Err() != nil {
		return nil // there is no time to find out
	}
	if err != nil {
		return []Finding{{Check: checkConfig, Severity: Error, What: "ssh -G: " + err.Error(), Fix: "Run it by hand, to see what it waits for."}}
	}
	if status != 0 {
		return []Finding{{Check: checkConfig, Severity: Error, What: "ssh does not accept its configuration: " + lastLine(said), Fix: "Correct the file that it names; ssh_config(5) has the names."}}
	}
	c := sshConfig{}
	for line := range strings.Lines(out) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		c[key] = append(c[key], value)
	}
	found := c.keys(ctx, asks)
	keygen := filepath.Join(filepath.Dir(run[0]), "ssh-keygen")
	return append(found, c.hostKey(ctx, keygen)...)
}

// sshConfig are the settings of ssh, by their names in small letters.
type sshConfig map[string][]string

func (c sshConfig) one(key string) string {
	if len(c[key]) == 0 {
		return ""
	}
	return c[key][0]
}

// files are the files that a setting names, with ~ replaced.
func (c sshConfig) files(key string) []string {
	var files []string
	for _, value := range c[key] {
		for _, file := range strings.Fields(value) {
			files = append(files, inHome(strings.Trim(file, `"`)))
		}
	}
	return files
}

// inHome replaces what ssh takes for the user's home, which is that of the user database.
func inHome(file string) string {
	for _, prefix := range []string{"~/", "%d/"} {
		if rest, is := strings.CutPrefix(file, prefix); is {
			home := os.Getenv("HOME")
			if u, err := user.Current(); err == nil {
				home = u.HomeDir
			}
			return filepath.Join(home, rest)
		}
	}
	return file
}

// whatNoKey begins what is said where ssh has nothing to log in with, as far as it can be told.
const whatNoKey = "ssh has neither a key nor an agent for this host"

// keys looks at the keys that ssh would offer.
func (c sshConfig) keys(ctx context.Context, asks bool) []Finding {
	var found []Finding
	usable := c.agent(ctx, &found)
	var absent []Finding
	for _, file := range c.files("identityfile") {
		info, err := os.Stat(file)
		switch {
		case strings.ContainsAny(file, "%$"), c.one("pkcs11provider") != "" && c.one("pkcs11provider") != "none":
			usable = true // which cannot be told from here
		case err != nil && c.one("identitiesonly") == "yes" && !os.IsPermission(err):
			absent = append(absent, Finding{Check: checkKey, Severity: Warning, What: "the key " + file + " is not there",
				Fix: "Make it with ssh-keygen and add its public part to authorized_keys there, or name another one with identity=."})
		case err != nil:
		case readByOthers(info):
			found = append(found, Finding{Check: checkKey, Severity: Error,
				What: fmt.Sprintf("the key %s can be read by others (mode %04o), so that ssh does not use it", file, info.Mode().Perm()),
				Fix:  "Run: chmod 600 " + file + "."})
		default:
			usable = true
		}
	}
	if !usable { // some of those that ssh tries by itself are always absent
		found = append(found, absent...)
	}
	switch {
	case usable:
	case asks:
		found = append(found, Finding{Check: checkKey, Severity: Note, What: whatNoKey + ", so that it asks for a password each time",
			Fix: "Nothing, if somebody is there to answer; else make a key with ssh-keygen, and add its public part to authorized_keys there."})
	case !slices.ContainsFunc(found, func(f Finding) bool { return f.Severity == Error }):
		found = append(found, Finding{Check: checkKey, Severity: Warning, What: whatNoKey,
			Fix: "Make a key with ssh-keygen, or load one with ssh-add, and add its public part to authorized_keys there."})
	}
	return found
}

// readByOthers reports whether ssh refuses a key for its mode. It does not care about keys of other users, such as root's that
// a group may read.
func readByOthers(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int64(stat.Uid) == int64(os.Getuid()) && info.Mode().Perm()&0o077 != 0
}

// agent reports whether there is one, and adds what is wrong with it.
func (c sshConfig) agent(ctx context.Context, found *[]Finding) bool {
	socket := os.Getenv("SSH_AUTH_SOCK")
	switch named := c.one("identityagent"); named {
	case "", "SSH_AUTH_SOCK":
	case "none":
		return false
	default:
		socket = inHome(os.ExpandEnv(named))
	}
	if socket == "" {
		return false
	}
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket) //nolint:gosec // the caller's own variable names it
	if err != nil {
		*found = append(*found, Finding{Check: checkKey, Severity: Warning, What: "the agent does not answer: " + oneLine(err.Error()),
			Fix: "Start ssh-agent and load a key with ssh-add, or unset SSH_AUTH_SOCK."})
		return false
	}
	conn.Close() //nolint:errcheck // nothing was said
	return true
}

// hostKey looks whether the host's key is known.
func (c sshConfig) hostKey(ctx context.Context, keygen string) []Finding {
	strict := c.one("stricthostkeychecking")
	if strict == "false" || strict == "no" || strict == "off" {
		return []Finding{{Check: checkHostKey, Severity: Warning, What: "ssh is told not to check the host's key: anybody between here and there can be the host",
			Fix: "Set StrictHostKeyChecking to yes, and add the key to the known hosts."}}
	}
	if c.one("knownhostscommand") != "" && c.one("knownhostscommand") != "none" {
		return nil
	}
	name := c.one("hostkeyalias")
	if name == "" {
		name = c.one("hostname")
		if port := c.one("port"); port != "22" && port != "" {
			name = "[" + name + "]:" + port
		}
	}
	files := append(c.files("userknownhostsfile"), c.files("globalknownhostsfile")...)
	for _, file := range files {
		if _, err := os.Stat(file); err != nil {
			continue
		}
		if out, _, status, err := ask(ctx, keygen, "-F", name, "-f", file); err != nil || status == 0 && out != "" {
			return nil
		}
	}
	f := Finding{Check: checkHostKey, Severity: Error, What: "the key of " + name + " is in none of " + strings.Join(files, ", "),
		Fix: "Get the key from whoever runs the host, or with ssh-keyscan and compare it, and add it to the first of these files."}
	if strict == "accept-new" {
		f.Severity, f.What = Note, f.What+", and will be taken as it comes"
	}
	return []Finding{f}
}
