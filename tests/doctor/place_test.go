package doctor

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/seed354a1416/deliveryboy/doctor"
	"github.com/seed354a1416/deliveryboy/tests/stage"
	"github.com/seed354a1416/deliveryboy/transport"
)

// TestProgram spoils the file that sudo runs, or the way to it.
func TestProgram(t *testing.T) {
	st.NeedSudo(t)
	for _, c := range []struct {
		name    string
		script  string // as root; $1 is the directory, with the program in it
		reached bool
		want    doctor.Finding
	}{
		{"missing", `rm "$1/app"`, false, problem("program", "app is not there")},
		{"not executable", `chmod 644 "$1/app"`, false, problem("program", "is not executable (mode 0644)")},
		{"directory", `rm "$1/app"; mkdir "$1/app"`, false, problem("program", "is no regular file")},
		{"another machine's", `printf '\267\000' | dd of="$1/app" bs=1 seek=18 conv=notrunc 2>/dev/null`, false, problem("program", "is built for linux/arm64")},
		{"a script", `printf 'echo no\n' > "$1/app"`, false, problem("program", "is built for another kind of system")},
		{"another file", `printf x >> "$1/app"`, true, doubt("build", "is not the one here")},
		{"another's", `chown ` + strconv.Itoa(st.UID) + ` "$1/app"`, true, problem("program", "app belongs to uid "+strconv.Itoa(st.UID))},
		{"in another's directory", `chown ` + strconv.Itoa(st.UID) + ` "$1"`, true, problem("program", "belongs to uid "+strconv.Itoa(st.UID))},
		{"group-writable", `chmod 775 "$1/app"`, true, problem("program", "app is writable by group or others (mode 0775)")},
		{"in a writable directory", `chmod 777 "$1"`, true, problem("program", "is writable by group or others (mode 0777)")},
		{"in a directory like /tmp", `chmod 1777 "$1"`, true, problem("program", "everybody can make files (mode 1777)")},
		{"symbolic link", `mv "$1/app" "$1/real"; ln -s real "$1/app"`, true, doubt("program", "app is a symbolic link to real")},
		{"link to another's", `mkdir "$1/d"; mv "$1/app" "$1/d/real"; chown ` + strconv.Itoa(st.UID) + ` "$1/d"; ln -s d/real "$1/app"`, true, problem("program", "/d belongs to uid")},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := place(t, "app")
			asRoot(t, c.script, dir)
			found, err := examine(t, transport.Spec{Via: transport.Sudo{}, Binary: dir + "/app"})
			if (err == nil) != c.reached {
				t.Errorf("reached: %v", err)
			}
			names(t, found, c.want)
		})
	}
}

// TestOtherBuild has another program where this one should be.
func TestOtherBuild(t *testing.T) {
	st.NeedSSH(t)
	found, err := examine(t, transport.Spec{Via: sshHop(), Binary: "/bin/cat"})
	if err == nil {
		t.Error("reached")
	}
	names(t, found, problem("worker", "no worker answered"))
}

// TestPlace spoils the place that the worker is in, by a command in front of it.
func TestPlace(t *testing.T) {
	mounted := func(options string) []string {
		return []string{"unshare", "-Urm", "sh", "-c", `mount -t tmpfs -o ` + options + ` tmpfs /srv && exec "$@"`, "sh"}
	}
	for _, c := range []struct {
		name     string
		prefix   []string
		env      string
		want     doctor.Finding
		mountsIt bool
	}{
		{name: "few open files", prefix: []string{"prlimit", "--nofile=64:64", "--"}, want: doubt("limits", "the limit nofile is 64")},
		{name: "short files", prefix: []string{"prlimit", "--fsize=1000000", "--"}, want: doubt("limits", "the limit fsize is 1000000")},
		{name: "little time", prefix: []string{"prlimit", "--cpu=30", "--"}, want: doubt("limits", "the limit cpu is 30")},
		{name: "output before", prefix: []string{"sh", "-c", `echo "welcome to web1"; exec "$@"`, "sh"}, want: remark("output", "welcome to web1")},
		{name: "little space", prefix: mounted("size=8m"), env: "XDG_STATE_HOME=/srv", want: doubt("space", "/srv/deliveryboy, has 8192 KiB left"), mountsIt: true},
		{name: "no space", prefix: mounted("size=64k"), env: "XDG_STATE_HOME=/srv", want: problem("space", "/srv/deliveryboy, has 64 KiB left"), mountsIt: true},
		{name: "no inodes", prefix: mounted("nr_inodes=5"), env: "XDG_STATE_HOME=/srv", want: problem("space", "more files (inodes)"), mountsIt: true},
		{name: "read-only", prefix: mounted("ro"), env: "XDG_STATE_HOME=/srv", want: remark("jobs", "mounted read-only"), mountsIt: true},
		{name: "noexec everywhere", prefix: append(mounted("noexec")[:4:4], `for d in /srv /dev/shm /tmp /var/tmp; do mount -t tmpfs -o noexec tmpfs $d; done; exec "$@"`, "sh"),
			env: "XDG_CACHE_HOME=/srv", want: remark("mount", "/srv/deliveryboy/bin is on a file system that is mounted noexec"), mountsIt: true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if ok, why := st.Has(stage.Userns); c.mountsIt && !ok {
				t.Skip("NOT TESTED, no user namespaces: " + why)
			}
			spec := transport.Spec{Via: transport.Command{Prefix: c.prefix}, Binary: program(t)}
			if c.env != "" {
				spec.Env = []string{c.env}
			}
			found, err := examine(t, spec)
			if err != nil {
				t.Errorf("%+v", err)
			}
			names(t, found, c.want)
		})
	}
}

// TestNoexec has the program on a file system from which nothing can be run, at a stop before sudo.
func TestNoexec(t *testing.T) {
	st.NeedSudo(t)
	dir := place(t, "")
	asRoot(t, `mount -t tmpfs -o noexec,mode=755 tmpfs "$1"; install -m 755 "$2" "$1/app"`, dir, st.Binary)
	t.Cleanup(func() { asRoot(t, `umount "$1"`, dir) })
	found, err := examine(t, transport.Spec{Via: transport.Sudo{}, Binary: filepath.Join(dir, "app")})
	if err == nil {
		t.Error("reached")
	}
	names(t, found, problem("program", "is on a file system that is mounted noexec"))
}

// program is this one, wherever the test runs.
func program(t *testing.T) string {
	if st.Binary != "" {
		return st.Binary
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return path
}
