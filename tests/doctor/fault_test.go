package doctor

import (
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestFaults: what a machine may have, each with what is told of it, and what to do.
func TestFaults(t *testing.T) {
	sudo := transport.Chain{transport.Sudo{}}
	fix := func(f doctor.Finding, text string) doctor.Finding { f.Fix = text; return f }
	for _, c := range []struct {
		scene
		reached bool
		want    doctor.Finding
	}{
		{scene{name: "home full", root: "fresh; again size=64k; dd if=/dev/zero of=x 2>/dev/null || :"}, true, problem("space", "0 KiB left")},
		{scene{name: "noexec everywhere", root: "fresh; again noexec; how=noexec; over /dev/shm /tmp /var/tmp", deploy: true}, false, problem("program", "mounted noexec")},
		{scene{name: "cache of another", root: "fresh; mkdir -p .cache/deliveryboy/bin; chmod 711 . .cache; how=noexec; over /dev/shm /tmp /var/tmp", deploy: true}, false, problem("program", "it belongs to another user")},
		{scene{name: "state of another", root: "fresh; mkdir -p .local/state/deliveryboy; chmod 711 .local/state/deliveryboy"}, true, doubt("jobs", "it belongs to user 0")},
		{scene{name: "state is a link", root: "fresh; mkdir -p .local/state /mnt/x; ln -s /mnt/x .local/state/deliveryboy"}, true, doubt("jobs", "it is no directory")},
		{scene{name: "temporary files of all", root: "mount -t tmpfs -o mode=777 t /tmp"}, true, fix(doubt("space", "no sticky bit"), "chmod 1777 /tmp")},
		{scene{name: "PATH open to a group", via: sudo,
			root: "edit /etc/group 's/^staff:.*/&nobody/'; mount -t tmpfs -o mode=755 t /usr/local; mkdir -m 2775 /usr/local/bin; chgrp staff /usr/local/bin"},
			true, problem("path", "PATH leads through /usr/local/bin, which is writable by group")},
		{scene{name: "PATH of another", root: "mount -t tmpfs -o mode=755 t /usr/local; mkdir /usr/local/bin; chown nobody /usr/local/bin"}, true, doubt("path", "/usr/local/bin, which belongs to uid")},

		{scene{name: "account has expired, sudo", root: "field 19000:0:99999:7::1:", via: sudo}, false, fix(problem("auth", "account validation failure"), "chage -l")},
		{scene{name: "account has expired, ssh", root: "field 19000:0:99999:7::1:", sshd: "UsePAM yes"}, false, fix(problem("auth", "Your account has expired"), "prolong")},
		{scene{name: "password has expired", root: "field 0:0:99999:7:::", sshd: "UsePAM yes"}, false, fix(problem("auth", "change your password"), "change it on that host")},
		{scene{name: "sudoers open to all", root: "edit /etc/sudoers '' && chmod 666 /mnt/.$$", via: sudo}, false, fix(problem("configuration", "sudoers is world writable"), "visudo -c")},
		{scene{name: "syntax error", root: "edit /etc/sudoers '$a nonsense here'", via: sudo}, true, fix(doubt("configuration", "syntax error"), "visudo -c")},
		{scene{name: "rule in a file that does not count", via: sudo,
			root: "cp -a /etc/sudoers.d /mnt/d; chmod 666 /mnt/d/*; mount --bind /mnt/d /etc/sudoers.d"}, false, fix(problem("auth", "the rule for this user may be in the file"), "Correct that file first")},
		{scene{name: "sudo without its bit", root: "cp /usr/bin/sudo /mnt/sudo; chmod 755 /mnt/sudo; mount --bind /mnt/sudo /usr/bin/sudo", via: sudo}, false,
			fix(problem("privilege", "is not root's with the setuid bit"), "chmod 4755 /usr/bin/sudo")},
		{scene{name: "sudo on nosuid", root: "mount --bind /usr/bin/sudo /usr/bin/sudo; mount -o remount,bind,nosuid /usr/bin/sudo", via: sudo}, false, problem("privilege", "mounted nosuid")},
		{scene{name: "su on nosuid", root: "mount --bind /usr/bin/su /usr/bin/su; mount -o remount,bind,nosuid /usr/bin/su", via: transport.Chain{transport.Su{}}}, false, problem("privilege", "/usr/bin/su is on a file system that is mounted nosuid")},
		{scene{name: "doas.conf open to all", root: "doas 'permit nopass '$USER_OF_STAGE; chmod 666 /mnt/doas.conf", via: transport.Chain{transport.Doas{}}}, false, fix(problem("configuration", "writable by group or other"), "write permission")},
		{scene{name: "doas with no rule", root: "doas 'permit nopass nobody'", via: transport.Chain{transport.Doas{}}}, false, fix(problem("auth", "Operation not permitted"), "doas.conf")},
		{scene{name: "doas without its bit", root: "doas 'permit nopass '$USER_OF_STAGE; cp /usr/bin/doas /mnt/doas; mount --bind /mnt/doas /usr/bin/doas", via: transport.Chain{transport.Doas{}}}, false, problem("privilege", "is not root's with the setuid bit")},
		{scene{name: "login shell is missing", root: "shell root /bin/nope", via: transport.Chain{transport.Sudo{Login: true}}}, false, fix(problem("program", "the login shell of the target user is not there"), "usermod -s")},
		{scene{name: "login shell is missing, ssh", root: "shell $USER_OF_STAGE /bin/nope", sshd: "-"}, false, fix(problem("key", "Permission denied"), "a login shell that is missing")},
		{scene{name: "maintenance", root: "echo maintenance until noon > /mnt/n; touch /run/nologin; mount --bind /mnt/n /run/nologin", sshd: "UsePAM yes"}, false, problem("reachable", "maintenance until noon")},

		{scene{name: "ForceCommand", root: ":", sshd: "ForceCommand internal-sftp"}, false, fix(problem("worker", `no worker answered; it printed "This service allows sftp connections only."; exit status 1`), "ForceCommand")},
		{scene{name: "rc file that exits", root: "fresh; echo exit > .bashrc", sshd: "-"}, false, fix(problem("worker", "no worker answered; exit status 0"), "a login script")},
		{scene{name: "rc file that runs another program", root: "fresh; echo 'exec cat /nonexistent' > .bashrc", sshd: "-"}, false, fix(problem("worker", "it said: cat: /nonexistent"), "a login script")},
		{scene{name: "built for another machine, behind ssh", sshd: "-", binary: "/mnt/app",
			root: `app; printf '\267\000' | dd of=/mnt/app bs=1 seek=18 conv=notrunc 2>/dev/null`}, false, fix(problem("program", "Exec format error"), "another system or architecture")},
		{scene{name: "noexec, behind ssh", sshd: "-", binary: "/srv/app", root: "mount -t tmpfs -o noexec t /srv; cp $PROGRAM /srv/app"}, false, fix(problem("program", "cannot be executed"), "mounted noexec")},

		{scene{name: "no threads", via: transport.Chain{limited("nproc=1:1")}}, false, fix(problem("limits", "the worker gets no threads"), "nproc")},
		{scene{name: "no time", via: transport.Chain{limited("cpu=0:0")}}, false, fix(problem("worker", "the worker was killed as it began"), "ulimit -t")},
		{scene{name: "no file may grow", via: transport.Chain{limited("fsize=0")}}, true, doubt("limits", "the limit fsize is 0")},
	} {
		t.Run(c.name, func(t *testing.T) {
			needsDoas(t, c.root)
			found, err := c.look(t)
			if (err == nil) != c.reached {
				t.Errorf("reached: %v", err)
			}
			names(t, found, c.want)
			for _, f := range found {
				if len(f.What) > 0 && f.Severity == doctor.Error && f.Check != c.want.Check && !strings.Contains("sudoers open to all", c.name) {
					t.Errorf("blamed as well: %+v", f)
				}
			}
		})
	}
}

// TestWritersByList: who may write by an access control list.
func TestWritersByList(t *testing.T) {
	needsLists(t)
	for name, c := range map[string]struct{ script, what string }{
		"a user":  {"setfacl -m u:nobody:rwx /mnt/app", "is writable by uid 65534 (its access control list)"},
		"a group": {"setfacl -m g:nogroup:rwx /mnt", "/mnt is writable by gid 65534 (its access control list)"},
		"its own": {"setfacl -m u:nobody:r-x,g::rwx /mnt/app", "is writable by group or others"},
	} {
		t.Run(name, func(t *testing.T) {
			found, err := scene{root: "app; " + c.script, binary: "/mnt/app", via: transport.Chain{transport.Sudo{}}}.look(t)
			if err != nil {
				t.Errorf("%+v", err)
			}
			names(t, found, problem("program", c.what))
		})
	}
}

// needsDoas skips a test whose scene wants doas where there is none.
func needsDoas(t *testing.T, scene string) {
	t.Helper()
	if _, err := exec.LookPath("doas"); err != nil && strings.HasPrefix(scene, "doas ") {
		t.Skip("NOT TESTED, no doas: install opendoas")
	}
}

// needsLists skips the test where there are no tools for access control lists.
func needsLists(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("setfacl"); err != nil {
		t.Skip("NOT TESTED, no setfacl: install acl")
	}
}

// checkOf is the check of the finding that says this.
func checkOf(found []doctor.Finding, what string) string {
	i := slices.IndexFunc(found, func(f doctor.Finding) bool { return strings.HasPrefix(f.What, what) })
	if i < 0 {
		return ""
	}
	return found[i].Check
}
