package doctor

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestSound: machines that are unusual, and right. What is told of them is a note at most.
func TestSound(t *testing.T) {
	sudo := transport.Sudo{}
	login := transport.Chain{transport.Sudo{}}
	umask := func(mask string) transport.Command {
		return transport.Command{Prefix: []string{"sh", "-c", "umask " + mask + `; exec "$@"`, "sh"}}
	}
	for _, s := range []scene{
		{name: "umask 000", via: transport.Chain{umask("000"), sudo}, deploy: true},
		{name: "umask 777", via: transport.Chain{umask("777"), sudo}},
		{name: "home noexec", root: "fresh; again noexec"},
		{name: "home noexec, and brought", root: "fresh; again noexec", deploy: true},
		{name: "home and shm noexec, and brought", root: "fresh; again noexec; how=noexec; over /dev/shm", deploy: true},
		{name: "nothing can be brought, and need not", root: "fresh; again noexec; how=noexec; over /dev/shm /tmp /var/tmp"},
		{name: "home read-only", root: "fresh; again ro", sshd: "-", via: login},
		{name: "no home", root: "mount -t tmpfs -o mode=755 t ${HOME_OF_USER%/*}", env: "HOME=/nonexistent"},
		{name: "HOME unset", via: transport.Chain{transport.Command{Prefix: []string{"env", "-u", "HOME"}}}},
		{name: "HOME of another", root: ":", env: "HOME=/root"},
		{name: "private group", sshd: "StrictModes no", binary: "HOME/bin/app",
			root: "fresh; chmod 2775 .; mkdir -m 2775 bin; cp $PROGRAM bin/app; chmod 775 bin/app; mine bin"},
		{name: "in /tmp", sshd: "-", binary: "/tmp/mine/app", root: "how=exec; over /tmp; mkdir /tmp/mine; cp $PROGRAM /tmp/mine/app; mine /tmp/mine"},
		{name: "linked directories", root: "mkdir -p /mnt/data/bin; cp $PROGRAM /mnt/data/bin/app; ln -s data/bin /mnt/bin", binary: "/mnt/bin/app", via: login},
		{name: "read-only but for the cache", env: "XDG_CACHE_HOME=/tmp/c", deploy: true,
			root: "mkdir -p /tmp/c; for d in /tmp /run /dev/shm; do mount --bind -o ro $d $d; done; mount -t tmpfs -o mode=700,uid=$UID_OF_USER t /tmp/c"},
		{name: "another language", root: ":", env: "LC_ALL=de_DE.UTF-8 LANGUAGE=de", via: login},
		{name: "shell dash", root: "shell $USER_OF_STAGE /bin/dash", sshd: "-", via: login, deploy: true},
		{name: "shell csh", root: "[ ! -x /bin/tcsh ] || shell $USER_OF_STAGE /bin/tcsh", sshd: "-", via: login, deploy: true},
		{name: "shell busybox", root: "[ ! -x /bin/busybox ] || { ln -s /bin/busybox /mnt/ash; shell $USER_OF_STAGE /mnt/ash; }", sshd: "-", via: login},
		{name: "shell that prints", root: "fresh; echo 'echo hello' > .bashrc", sshd: "-", via: login},
		{name: "binary banner", root: "head -c 300 /dev/urandom > /mnt/banner", sshd: "Banner /mnt/banner", via: login},
		{name: "strict server", root: ":", sshd: "MaxSessions 1\nAllowTcpForwarding no\nPermitTTY no\nPermitUserEnvironment yes", via: login},
		{name: "unknown user", via: transport.Chain{transport.Command{Prefix: []string{"/usr/bin/sudo", "-n", "setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"}}}},
		{name: "hidepid", root: "mount -t proc -o hidepid=2 proc /proc", via: login},
		{name: "no /proc", root: "mount -t tmpfs t /proc"},
		{name: "no /proc before sudo", root: "mount -t tmpfs t /proc", via: login},
		{name: "no /dev/shm", root: "mount -t tmpfs -o ro t /dev/shm", via: login, deploy: true},
		{name: "few files, but enough", via: transport.Chain{limited("nofile=20:256"), sudo}},
		{name: "many files", via: transport.Chain{limited("nofile=20000:20000"), sudo}},
		{name: "no new privileges, and none needed", via: transport.Chain{transport.Setpriv{NoNewPrivs: true}}},
		{name: "chroot", via: transport.Chain{sudo, transport.Chroot{Dir: "/"}}},
		{name: "user namespace", via: transport.Chain{sudo, transport.Userns{}}},
		{name: "sudo with a group", via: transport.Chain{transport.Sudo{Group: "adm"}}},
		{name: "doas", root: "doas 'permit nopass '$USER_OF_STAGE; chmod 644 /etc/doas.conf", via: transport.Chain{transport.Doas{}}},
		{name: "doas, with an environment", root: "doas 'permit nopass keepenv setenv { -ENV } '$USER_OF_STAGE' as root cmd '$PROGRAM", sshd: "-", via: transport.Chain{transport.Doas{}}},
		{name: "sudo twice", via: transport.Chain{sudo, transport.Sudo{User: st.Second}}},
		{name: "group of root's directories without members", root: "mount -t tmpfs -o mode=755 t /usr/local; mkdir -m 2775 /usr/local/bin; chgrp staff /usr/local/bin", via: login},
	} {
		t.Run(s.name, func(t *testing.T) {
			if s.binary == "HOME/bin/app" {
				s.binary = st.Home + "/bin/app"
			}
			needsDoas(t, s.root)
			found, err := s.look(t)
			if err != nil {
				t.Errorf("%+v", err)
			}
			only(t, found)
		})
	}
}

// TestSoundLists: access control lists whose mask says more than they do.
func TestSoundLists(t *testing.T) {
	scenes := map[string]string{
		"a user who reads":       "setfacl -m u:nobody:r-x,m::rwx /mnt/app",
		"a group that reads":     "setfacl -m g:nogroup:r-x,m::rwx /mnt /mnt/app",
		"root's own":             "setfacl -m u:root:rwx /mnt /mnt/app",
		"taken away by the mask": "setfacl -m u:nobody:rwx,m::r-x /mnt/app",
	}
	for name, script := range scenes {
		t.Run(name, func(t *testing.T) {
			needsLists(t)
			found, err := scene{root: "app; " + script, binary: "/mnt/app", via: transport.Chain{transport.Sudo{}}}.look(t)
			if err != nil {
				t.Errorf("%+v", err)
			}
			only(t, found)
		})
	}
}

// TestSoundRules: rules of sudo that are right, though one might think otherwise.
func TestSoundRules(t *testing.T) {
	for name, rules := range map[string]string{
		"environment":                        "Defaults env_keep+=\"LANG LC_*\", secure_path=/usr/sbin:/usr/bin:/sbin:/bin\n" + allowed,
		"aliases and comments":               "# admins\nUser_Alias ADM = USER, nobody\nCmnd_Alias APP = PROGRAM __deliver *\nRunas_Alias OPS = root, SECOND\nADM ALL = (OPS : ALL) NOPASSWD: APP # last\n",
		"a group":                            "%USER ALL=(ALL:ALL) NOPASSWD: ALL\n",
		"a directory":                        "USER ALL=(root) NOPASSWD: /run/stage/bin/\n",
		"a pattern":                          "USER ALL=(root) NOPASSWD: /run/stage/bin/*\n",
		"all but some":                       "USER ALL=(root) NOPASSWD: ALL, !/bin/su, !/usr/bin/passwd root\n",
		"other target, no exec":              "USER ALL=(root) NOPASSWD: ALL\nUSER ALL=(SECOND) NOEXEC: PASSWD: ALL\n",
		"other arguments, no exec":           "USER ALL=(root) NOPASSWD: ALL\nUSER ALL=(root) NOEXEC: PROGRAM --version\n",
		"requiretty, but not for the user":   "Defaults requiretty\nDefaults:USER !requiretty\n" + allowed,
		"requiretty, but not for it":         "Defaults requiretty\nDefaults!PROGRAM !requiretty\n" + allowed,
		"a log, but not for it":              "Defaults log_output\nDefaults!PROGRAM !log_output\n" + allowed,
		"a log of others":                    "Defaults!/usr/bin/id, /usr/bin/who log_output, log_input\n" + allowed,
		"a log of other targets":             "Defaults>SECOND log_output\n" + allowed,
		"rules that are told for a password": "Defaults listpw=always\n" + allowed,
		"no passwords at all":                "Defaults:USER !authenticate\nUSER ALL=(root) ALL\n",
		"another target by default":          "Defaults runas_default=SECOND\nUSER ALL=(SECOND) NOPASSWD: ALL\n",
		"a time limit":                       "USER ALL=(root) CWD=/ TIMEOUT=10m NOPASSWD: ALL\n",
	} {
		t.Run(name, func(t *testing.T) {
			found, err := scene{rules: rules, via: transport.Chain{transport.Sudo{}}}.look(t)
			if err != nil {
				t.Errorf("%+v", err)
			}
			only(t, found)
		})
	}
}

// TestSoundKeys: keys that ssh uses, though some are absent, or others may read them.
func TestSoundKeys(t *testing.T) {
	st.NeedSudo(t)
	st.NeedSSH(t)
	dir := place(t, "")
	asRoot(t, `install -m 640 -g "$3" "$2" "$1/key"`, dir, st.Identity, st.User)
	for name, lines := range map[string]string{
		"some are absent":         "IdentityFile ~/.ssh/none\nIdentityFile " + st.Identity,
		"root's, and the group's": "IdentityFile " + dir + "/key",
		"in the home":             "IdentityFile %d/.ssh/id_ed25519",
	} {
		t.Run(name, func(t *testing.T) {
			text := "Host *\nIdentitiesOnly yes\nUserKnownHostsFile " + st.KnownHosts + "\n" + lines + "\n"
			hop := sshHop()
			hop.ConfigFile = filepath.Join(t.TempDir(), "config")
			if err := os.WriteFile(hop.ConfigFile, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			found, err := examine(t, transport.Spec{Via: hop, Binary: st.Binary})
			if err != nil {
				t.Errorf("%+v", err)
			}
			only(t, found)
		})
	}
}

// TestNotChecked: what could not be looked at is said.
func TestNotChecked(t *testing.T) {
	for _, c := range []struct {
		scene
		what string
	}{
		{scene{name: "listpw", rules: "Defaults listpw=always\n" + allowed, via: transport.Chain{transport.Sudo{}}}, "settings and tags of sudoers"},
		{scene{name: "user namespace", via: transport.Chain{transport.Userns{}}}, "who could replace the program"},
		{scene{name: "options", via: transport.Chain{sshHop(), transport.Sudo{Program: "/usr/bin/sudo"}}}, "what this hop needs"},
		{scene{name: "no /proc", root: "mount -t tmpfs t /proc"}, "whether the program's file is the one here"},
	} {
		t.Run(c.name, func(t *testing.T) {
			found, err := c.look(t)
			if err != nil {
				t.Errorf("%+v", err)
			}
			names(t, found, doctor.Finding{Severity: doctor.Note, Check: checkOf(found, "not checked: "+c.what), What: "not checked: " + c.what})
		})
	}
}
