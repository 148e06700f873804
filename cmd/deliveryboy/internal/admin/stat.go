package admin

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"strconv"
	"syscall"
	"time"
)

// StatRequest asks for one file.
type StatRequest struct {
	Path   string `json:"path"`   // relative paths start at the worker's directory
	Follow bool   `json:"follow"` // tell about what a symbolic link points to, not about the link
}

// FileInfo is what a system knows about one file.
type FileInfo struct {
	Path    string    `json:"path"`
	Type    string    `json:"type"`  // file, directory, symlink, socket, pipe, device or chardevice
	Mode    string    `json:"mode"`  // octal, four digits, with setuid, setgid and sticky bit
	Size    int64     `json:"size"`  // bytes
	Owner   string    `json:"owner"` // the number if it has no name
	Group   string    `json:"group"`
	UID     int       `json:"uid"`
	GID     int       `json:"gid"`
	ModTime time.Time `json:"mod_time"`
	Links   int64     `json:"links"` // hard links
	Device  uint64    `json:"device"`
	Inode   uint64    `json:"inode"`
	Target  string    `json:"target"` // of a symbolic link
}

// FileStat tells about one file. The error is that of [os.Lstat].
func FileStat(_ context.Context, r StatRequest) (FileInfo, error) {
	if err := checkPath("file.stat", r.Path); err != nil {
		return FileInfo{}, err
	}
	stat := os.Lstat
	if r.Follow {
		stat = os.Stat
	}
	fi, err := stat(r.Path)
	if err != nil {
		return FileInfo{}, fmt.Errorf("file.stat: %w", err)
	}
	info := describe(r.Path, fi, names{})
	if info.Type == "symlink" {
		if info.Target, err = os.Readlink(r.Path); err != nil {
			return FileInfo{}, fmt.Errorf("file.stat: %w", err)
		}
	}
	return info, nil
}

func describe(path string, fi fs.FileInfo, n names) FileInfo {
	info := FileInfo{
		Path: path, Type: fileType(fi.Mode()), Mode: octal(fi.Mode()), Size: fi.Size(), ModTime: fi.ModTime(),
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		info.UID, info.GID = int(st.Uid), int(st.Gid)
		info.Owner, info.Group = n.user(info.UID), n.group(info.GID)
		info.Links, info.Device, info.Inode = int64(st.Nlink), uint64(st.Dev), uint64(st.Ino) //nolint:unconvert // Dev is an int32 on macOS
	}
	return info
}

func fileType(m fs.FileMode) string {
	switch m.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "directory"
	case fs.ModeSymlink:
		return "symlink"
	case fs.ModeSocket:
		return "socket"
	case fs.ModeNamedPipe:
		return "pipe"
	case fs.ModeDevice:
		return "device"
	case fs.ModeDevice | fs.ModeCharDevice:
		return "chardevice"
	}
	return "other"
}

// octal is a mode as chmod takes it.
func octal(m fs.FileMode) string {
	bits := uint32(m.Perm())
	for flag, bit := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if m&flag != 0 {
			bits |= bit
		}
	}
	return fmt.Sprintf("%04o", bits)
}

// names remembers the names of owners and groups, for as long as one call runs.
type names map[string]string

func (n names) user(id int) string {
	return n.lookup("u"+strconv.Itoa(id), func(id string) (string, error) {
		u, err := user.LookupId(id)
		if err != nil {
			return "", err
		}
		return u.Username, nil
	})
}

func (n names) group(id int) string {
	return n.lookup("g"+strconv.Itoa(id), func(id string) (string, error) {
		g, err := user.LookupGroupId(id)
		if err != nil {
			return "", err
		}
		return g.Name, nil
	})
}

// lookup is the name of key, which is "u" or "g" and a number; the number if it has none.
func (n names) lookup(key string, find func(id string) (string, error)) string {
	if name, ok := n[key]; ok {
		return name
	}
	name, err := find(key[1:])
	if err != nil {
		name = key[1:]
	}
	n[key] = name
	return name
}
