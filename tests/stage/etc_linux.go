package stage

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// privateEtc puts a copy of /etc over /etc. A copy and no overlay, because not every kernel and container lays one.
func privateEtc() error {
	if err := copyTree("/etc", dir+"/etc"); err != nil {
		return err
	}
	return bind(dir+"/etc", "/etc")
}

// copyTree copies directories, files, links and devices with their modes and owners. Sockets and pipes are left out.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return copyEntry(path, filepath.Join(to, rel))
	})
}

func copyEntry(from, to string) error {
	info, err := os.Lstat(from)
	if err != nil {
		return err
	}
	stat := info.Sys().(*syscall.Stat_t)
	switch mode := info.Mode(); {
	case mode.IsDir():
		err = os.Mkdir(to, 0o700)
	case mode.IsRegular():
		err = copyFile(from, to)
	case mode&fs.ModeSymlink != 0:
		return copyLink(from, to, stat)
	case mode&fs.ModeDevice != 0:
		err = unix.Mknod(to, stat.Mode, int(stat.Rdev))
	default:
		return nil
	}
	if err != nil {
		return err
	}
	if err := os.Chown(to, int(stat.Uid), int(stat.Gid)); err != nil {
		return err
	}
	return unix.Chmod(to, stat.Mode&0o7777) // after chown, which drops the set-id bits
}

func copyLink(from, to string, stat *syscall.Stat_t) error {
	target, err := os.Readlink(from)
	if err != nil {
		return err
	}
	if err := os.Symlink(target, to); err != nil {
		return err
	}
	return os.Lchown(to, int(stat.Uid), int(stat.Gid))
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		out.Close()
		return err
	}
	return out.Close()
}

// writeAs replaces a file in one step, with that mode and owner from the start.
func writeAs(path string, text []byte, mode fs.FileMode, uid, gid int) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".stage*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name()) // fails when the rename was done, as it should
	_, err = f.Write(text)
	for _, do := range []func() error{
		func() error { return f.Chown(uid, gid) },
		func() error { return f.Chmod(mode) },
		f.Close,
	} {
		if e := do(); err == nil {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("write %q: %w", path, err)
	}
	return os.Rename(f.Name(), path)
}

// installBinary copies the running program to where every user may read it and only root may change it.
func (f *first) installBinary() error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	f.stage.Binary = filepath.Join(dir, "bin", filepath.Base(exe))
	if err := copyFile(exe, f.stage.Binary); err != nil {
		return err
	}
	return os.Chmod(f.stage.Binary, 0o755)
}
