package transport

import (
	"os"
	"slices"
	"strings"
	"time"

	"github.com/mitchellh/go-homedir"
)

func init() {
	homedir.DisableCache = true // HOME may change between calls, and a stale answer would be another user's directory
}

// ownOptions are the ssh settings that have a field, or that the data path depends on.
var ownOptions = map[string]string{
	"batchmode":               "nobody is there to answer a prompt",
	"remotecommand":           "the worker is the remote command",
	"requesttty":              "a terminal would change the bytes",
	"sessiontype":             "the worker needs a session",
	"stdinnull":               "the worker needs its stdin",
	"forkafterauthentication": "the worker needs its stdin",
	"controlmaster":           "use NoShare (no_share)",
	"controlpath":             "use NoShare (no_share)",
	"controlpersist":          "use Persist (persist=)",
	"connecttimeout":          "use ConnectTimeout (connect_timeout=)",
	"identityfile":            "use Identity (identity=)",
	"userknownhostsfile":      "use KnownHosts (known_hosts=)",
	"proxyjump":               "use Jump (jump=)",
	"user":                    "use User (ssh=USER@HOST)",
	"port":                    "use Port (ssh=HOST:PORT)",
	"hostname":                "use Host (ssh=HOST)",
}

// checkingHostKeys are the values of StrictHostKeyChecking with which a changed key ends the connection. What ssh's own
// configuration says is its user's business; a spec, and an option of the library, do not turn it off.
var checkingHostKeys = []string{"yes", "true", "ask", "accept-new"}

// checkOption checks one "Key=Value" for ssh -o.
func checkOption(option string) error {
	const what = "ssh option"
	key, value, found := strings.Cut(option, "=")
	if !found || value == "" {
		return invalid(what, option, "is not in the form Key=Value")
	}
	if err := checkText(what, option); err != nil {
		return err
	}
	letters := strings.ToLower(key)
	if letters == "" || strings.Trim(letters, "abcdefghijklmnopqrstuvwxyz0123456789") != "" {
		return invalid(what, option, "the key before '=' must be letters and digits only, see ssh_config(5)")
	}
	if why, own := ownOptions[letters]; own {
		return invalid(what, option, "is set by this transport: "+why)
	}
	if letters == "stricthostkeychecking" && !slices.Contains(checkingHostKeys, value) {
		return invalid(what, option, "has to be yes, ask or accept-new: otherwise anybody between here and there can be the host")
	}
	return nil
}

func (s SSH) checkPaths() error {
	for _, f := range [][2]string{
		{"ssh identity", s.Identity}, {"ssh configuration", s.ConfigFile}, {"ssh known hosts", s.KnownHosts},
	} {
		if f[1] == "" || f[1] == "none" && f[0] == "ssh configuration" {
			continue
		}
		if err := checkPath(f[0], f[1]); err != nil {
			return err
		}
	}
	return nil
}

// checkPath checks a path that ends up inside an ssh setting, where quotes, backslashes and '$' have a meaning.
func checkPath(what, path string) error {
	if !strings.HasPrefix(path, "/") && !strings.HasPrefix(path, "~/") {
		return invalid(what, path, "must be an absolute path or begin with ~/")
	}
	if i := strings.IndexAny(path, `"\$`); i >= 0 {
		return invalid(what, path, "contains "+path[i:i+1]+`, which ssh reads as something else`)
	}
	return checkText(what, path)
}

// files appends the options that name files.
func (s SSH) files(far bool, out *[]string) error {
	if s.ConfigFile != "" {
		config := s.ConfigFile
		if strings.HasPrefix(config, "~/") && far {
			return invalid("ssh configuration", config, "the home directory behind another hop is unknown; "+
				"write an absolute path")
		}
		config, err := expand("ssh configuration", config)
		if err != nil {
			return err
		}
		*out = append(*out, "-F", config)
	}
	for _, f := range [][3]string{
		{"ssh identity", "IdentityFile", s.Identity}, {"ssh known hosts", "UserKnownHostsFile", s.KnownHosts},
	} {
		path := f[2]
		if path == "" {
			continue
		}
		if !far { // behind another hop ssh itself expands "~/"
			var err error
			if path, err = expand(f[0], path); err != nil {
				return err
			}
		}
		*out = append(*out, "-o", f[1]+`="`+strings.ReplaceAll(path, "%", "%%")+`"`)
	}
	if s.Identity != "" {
		*out = append(*out, "-o", "IdentitiesOnly=yes")
	}
	return nil
}

// expand replaces "~/" by the home directory. It insists on HOME, because go-homedir would otherwise run programs that
// it finds in PATH.
func expand(what, path string) (string, error) {
	if !strings.HasPrefix(path, "~/") {
		return path, nil
	}
	if !strings.HasPrefix(os.Getenv("HOME"), "/") {
		return "", invalid(what, path, "HOME is not set to an absolute path; write an absolute path")
	}
	full, err := homedir.Expand(path)
	if err != nil {
		return "", invalid(what, path, err.Error())
	}
	return full, checkPath(what, full)
}

func (s SSH) facts() facts { return facts{away: true, codes: true} }

var sshKind = kind{
	name:  "ssh",
	begin: beginSSH,
	options: []option{
		textOption("identity", func(s *SSH) *string { return &s.Identity }),
		textOption("ssh_config", func(s *SSH) *string { return &s.ConfigFile }),
		textOption("known_hosts", func(s *SSH) *string { return &s.KnownHosts }),
		textOption("jump", func(s *SSH) *string { return &s.Jump }),
		eachOption("option", func(s *SSH) *[]string { return &s.Options }),
		flagOption("no_share", func(s *SSH) *bool { return &s.NoShare }),
		durationOption("persist", "ssh persist", func(s *SSH) *time.Duration { return &s.Persist }),
		durationOption("connect_timeout", "ssh connect timeout", func(s *SSH) *time.Duration { return &s.ConnectTimeout }),
		textOption("program", func(s *SSH) *string { return &s.Program }),
	},
}

func beginSSH(value string) (Transport, error) {
	if value == "" {
		return nil, invalid("ssh host", value, "is empty; write ssh=HOST, ssh=USER@HOST or ssh=HOST:PORT")
	}
	a, err := parseAddress(value)
	return SSH{User: a.user, Host: a.host, Port: a.port}, err
}
