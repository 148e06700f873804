// Package stage is the real world for tests and for the demonstration: a private place on this machine with an
// ordinary user, a sudo rule and an ssh server, which leaves no trace.
//
//	var st *stage.Stage
//
//	func TestMain(m *testing.M) {
//		delivery.Main()
//		st = stage.Enter(stage.Options{})
//		os.Exit(m.Run())
//	}
//
// # How it works
//
// [Enter] needs root on Linux. It starts the program again as the first process of a new mount and process namespace.
// There /etc, /run, /tmp, /var/tmp, /var/log and sudo's state are private copies in memory; two users are added, an
// sshd is started on a free port of 127.0.0.1, and the program is started a third time, as the ordinary user, with a
// clean environment. The machine's own files are never written. When the first process of the namespace dies, for
// whatever reason, the kernel kills every process in it and drops its mounts; it dies when the outer process does.
//
// # Limits
//
// The network is the machine's own, but for [Root.Network], which is cut off from it. Control groups, /var and /usr are the machine's own too, for root inside. A
// machine's log daemon, login daemon and message bus are out of reach inside, on purpose.
package stage

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Features that [Stage.Has] knows.
const (
	Private     = "stage"    // the process runs inside a private place
	Sudo        = "sudo"     // sudo -n works for the user this process runs as
	SSH         = "ssh"      // an sshd of our own listens, and the user has a key for it
	SecondUser  = "second"   // there is a second ordinary user
	PasswordSet = "password" // User has a password that PAM accepts
	RootHelper  = "root"     // Stage.Root works
	Userns      = "userns"   // an unprivileged process may create a user namespace
	Networks    = "network"  // Root.Network works
)

var features = []string{Private, Sudo, SSH, SecondUser, PasswordSet, RootHelper, Userns, Networks}

// The environment variables that tell a process its part.
const (
	roleVar = "STAGE_ROLE"
	fileVar = "STAGE_FILE"

	roleInit   = "init"   // the first process of the namespace
	roleInside = "inside" // the program itself, and whatever it starts
)

// Options say how to enter. The zero value goes in as the ordinary user.
type Options struct {
	// StayRoot keeps the process root inside, instead of becoming the ordinary user.
	StayRoot bool
	// Keep names environment variables that pass into the stage; a trailing * stands for any ending. A few harmless ones
	// (CI, TERM, NO_COLOR, GORACE, GODEBUG, GOTRACEBACK, GOMAXPROCS) always pass.
	Keep []string
	// After, when set, is called in the outer process when everything inside is gone, before it exits.
	After func(Report)
}

// A Report is what the outer process saw. The hashes are of the machine's own /etc, by [HashTree].
type Report struct {
	EtcBefore, EtcAfter string
	EtcSame             bool
	ExitCode            int   // of the inner process; 128+n when it died of signal n
	Signal              int   // the signal that killed the inner process, or 0
	Err                 error // why the stage could not be built or held, or nil
}

// A Stage describes the place. Outside of one only Has, Skips and the Need methods say anything.
type Stage struct {
	Inside bool   // whether this process runs in the private place
	Dir    string // root-owned, not writable by others; holds everything below

	User, Home string // the ordinary user with sudo rights, and its home
	UID, GID   int
	Password   string // of User, for rules that ask for one; sshd takes it too
	Second     string // another ordinary user, without any rights
	SecondHome string
	SecondUID  int
	SecondGID  int
	Binary     string // this program, root-owned, mode 0755
	Rules      string // what /etc/sudoers.d/stage says at first
	SSHPort    int    // on 127.0.0.1
	SSHDPID    int
	SSHConfig  string // for ssh -F; also the user's own configuration, so that "ssh stage" works
	Identity   string // the private key of User; both users accept it
	KnownHosts string
	SSHDLog    string            // readable by User
	Root       *Root             `json:"-"`
	Why        map[string]string // feature → why it is missing
}

// Has reports whether a feature is there, and if not, why not.
func (s *Stage) Has(feature string) (ok bool, why string) {
	if !slices.Contains(features, feature) {
		return false, fmt.Sprintf("stage: no feature is called %q; known are %s", feature, strings.Join(features, ", "))
	}
	why, missing := s.Why[feature]
	return !missing, why
}

// Skips lists what is missing here and why, one line per feature.
func (s *Stage) Skips() []string {
	var lines []string
	for _, f := range features {
		if ok, why := s.Has(f); !ok {
			lines = append(lines, f+": "+why)
		}
	}
	return lines
}

// A TB is the part of testing.TB that this package uses, so that a program can use the stage without linking testing.
type TB interface {
	Helper()
	Skip(args ...any)
	Fatal(args ...any)
	Cleanup(func())
}

// NeedSudo skips the test when sudo does not work here; with CI=true it fails the test instead.
func (s *Stage) NeedSudo(t TB) { t.Helper(); s.need(t, Sudo) }

// NeedSSH is [Stage.NeedSudo] for the ssh server.
func (s *Stage) NeedSSH(t TB) { t.Helper(); s.need(t, SSH) }

// NeedSecond is [Stage.NeedSudo] for the second user.
func (s *Stage) NeedSecond(t TB) { t.Helper(); s.need(t, SecondUser) }

// NeedPassword is [Stage.NeedSudo] for the user's password.
func (s *Stage) NeedPassword(t TB) { t.Helper(); s.need(t, PasswordSet) }

// NeedRoot is [Stage.NeedSudo] for the helper in [Stage.Root].
func (s *Stage) NeedRoot(t TB) { t.Helper(); s.need(t, RootHelper) }

func (s *Stage) need(t TB, feature string) {
	t.Helper()
	ok, why := s.Has(feature)
	switch {
	case ok:
	case os.Getenv("CI") == "true":
		t.Fatal("CI must have " + feature + ": " + why)
	default:
		t.Skip("NOT TESTED, no " + feature + ": " + why)
	}
}

// without is a stage in which the features are missing for one reason.
func without(why string, missing ...string) *Stage {
	s := &Stage{Why: map[string]string{}}
	for _, f := range missing {
		s.Why[f] = why
	}
	return s
}

// kept reports whether a variable passes into the stage.
func kept(name string, keep []string) bool {
	for _, pattern := range slices.Concat(alwaysKept, keep) {
		if ok, err := filepath.Match(pattern, name); ok && err == nil {
			return true
		}
	}
	return false
}

var alwaysKept = []string{"CI", "TERM", "NO_COLOR", "GORACE", "GODEBUG", "GOTRACEBACK", "GOMAXPROCS"}
