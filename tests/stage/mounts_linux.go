package stage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"
)

// dir holds everything of the stage. It is short, because the path of a unix socket has 108 bytes, and no directory
// above it may be written by anyone but root, so that the checks of sshd and of privileged workers pass.
const dir = "/run/stage"

// hidden are entries of /run and /var/lib that the stage replaces, or that would let it leave a trace: login records,
// the login daemon, the message bus, the journal.
var hidden = []string{"stage", "sudo", "sshd", "sshd.pid", "utmp", "systemd", "dbus", "user", "deliveryboy"}

func mount(source, target, kind string, flags uintptr, data string) error {
	if err := unix.Mount(source, target, kind, flags, data); err != nil {
		return fmt.Errorf("mount %s on %s: %w", kind, target, err)
	}
	return nil
}

func mountTmpfs(target, mode string) error {
	return mount("stage", target, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, "mode="+mode)
}

func bind(source, target string) error {
	return mount(source, target, "", unix.MS_BIND|unix.MS_REC, "")
}

// privateMounts cuts the tie to the machine's mounts and shows the processes of this namespace.
func privateMounts() error {
	if err := mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return err
	}
	return mount("proc", "/proc", "proc", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, "")
}

// cover lays an empty directory over one of the machine's and shows the machine's entries in it, apart from the hidden
// ones: what is created there is private.
func cover(path string) error {
	entries, err := os.ReadDir(path)
	if err != nil {
		return err
	}
	old, err := os.Open(path)
	if err != nil {
		return err
	}
	defer old.Close()
	if err := mountTmpfs(path, "0755"); err != nil {
		return err
	}
	for _, e := range entries {
		if slices.Contains(hidden, e.Name()) {
			continue
		}
		// Through the descriptor, because the path leads to the new directory by now.
		source := fmt.Sprintf("/proc/self/fd/%d/%s", old.Fd(), e.Name())
		if err := showEntry(source, filepath.Join(path, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// privateRun covers /run and makes the directories of the stage, of sshd and of sudo there.
func privateRun() error {
	if err := cover("/run"); err != nil {
		return err
	}
	for _, d := range []struct {
		path string
		mode fs.FileMode
	}{
		{"/run/sshd", 0o755}, {"/run/sudo", 0o711}, {"/run/sudo/ts", 0o700}, {dir, 0o755}, {dir + "/bin", 0o755},
		{dir + "/home", 0o755}, {dir + "/ssh", 0o755}, {dir + "/out", 0o755}, {dir + "/src", 0o755},
	} {
		if err := os.Mkdir(d.path, d.mode); err != nil {
			return err
		}
	}
	return nil
}

func showEntry(source, target string) error {
	info, err := os.Lstat(source)
	if err != nil {
		return err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		to, err := os.Readlink(source)
		if err != nil {
			return err
		}
		return os.Symlink(to, target)
	case info.IsDir():
		err = os.Mkdir(target, 0o755)
	default:
		err = os.WriteFile(target, nil, 0o600)
	}
	if err != nil {
		return err
	}
	return bind(source, target)
}

// privateState replaces the directories that sudo, sshd, root and the programs under test write to.
func privateState() error {
	if err := cover("/var/lib"); err != nil {
		return err
	}
	for _, d := range []struct{ path, mode string }{
		{"/tmp", "1777"}, {"/var/tmp", "1777"}, {"/var/log", "0755"}, {"/root", "0700"}, {"/var/db/sudo", "0700"}, {"/dev/shm", "1777"},
	} {
		if info, err := os.Lstat(d.path); err != nil || !info.IsDir() {
			continue // not on this machine, or a link to one of the others
		}
		if err := mountTmpfs(d.path, d.mode); err != nil {
			return err
		}
	}
	if err := os.MkdirAll("/var/lib/sudo/lectured", 0o700); err != nil {
		return err
	}
	// A log daemon's socket. With systemd this is a link into a hidden part of /run.
	if info, err := os.Lstat("/dev/log"); err == nil && info.Mode()&fs.ModeSocket != 0 {
		return bind("/dev/null", "/dev/log")
	}
	return nil
}

// showSources shows the module that the working directory belongs to, read-only, and moves the inner program there:
// the module may lie where an ordinary user has no way in. Without a module the program starts in its home.
func (f *first) showSources() error {
	cwd, err := os.Getwd()
	if err != nil {
		return err
	}
	root := cwd
	for {
		if _, err := os.Lstat(filepath.Join(root, "go.mod")); err == nil {
			break
		}
		if root == "/" {
			return nil
		}
		root = filepath.Dir(root)
	}
	if info, err := os.Stat(root); err == nil && info.Mode().Perm()&0o005 != 0o005 {
		fmt.Fprintf(os.Stderr, "stage: %s is closed to others, so the tests will miss their files; run: chmod -R o+rX %s\n", root, root)
	}
	if err := bind(root, dir+"/src"); err != nil {
		return err
	}
	if err := mount("", dir+"/src", "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY|unix.MS_NOSUID|unix.MS_NODEV, ""); err != nil {
		return err
	}
	rel, err := filepath.Rel(root, cwd)
	f.workdir = filepath.Join(dir, "src", rel)
	return err
}
