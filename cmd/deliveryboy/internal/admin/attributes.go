package admin

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"syscall"
)

// attributes are mode and owner of a file.
type attributes struct {
	mode             fs.FileMode // permissions, setuid, setgid, sticky
	uid, gid         int         // -1: as it comes
	hasMode, hasKept bool        // mode is asked for; it is taken from the file there
}

func parseAttributes(r WriteRequest) (attributes, error) {
	a := attributes{uid: -1, gid: -1}
	var err error
	if r.Mode != "" {
		if a.mode, err = parseMode(r.Mode); err != nil {
			return a, err
		}
		a.hasMode = true
	}
	if r.Owner != "" {
		u, err := findUser("file.write: owner", r.Owner)
		if a.uid, err = ownerID(r.Owner, u.UID, err); err != nil {
			return a, err
		}
	}
	if r.Group != "" {
		g, err := findGroup("file.write: group", r.Group)
		if a.gid, err = ownerID(r.Group, g.GID, err); err != nil {
			return a, err
		}
	}
	return a, nil
}

// ownerID is the id that was found, or the number asked for: a file may belong to a number without a name. The highest
// number is none, it means "as it is" to chown.
func ownerID(asked string, found int, err error) (int, error) {
	if !errors.Is(err, errUnknown) {
		return found, err
	}
	if id, notNumber := strconv.ParseUint(asked, 10, 32); notNumber == nil && id < math.MaxUint32 {
		return int(id), nil
	}
	return -1, err
}

// parseMode reads a mode as chmod takes it, in octal.
func parseMode(s string) (fs.FileMode, error) {
	bits, err := strconv.ParseUint(s, 8, 32)
	if err != nil || bits > 0o7777 {
		return 0, fmt.Errorf("file.write: mode %s: not a mode: give octal digits such as \"0640\"", quote(s))
	}
	mode := fs.FileMode(bits & 0o777)
	for bit, flag := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if bits&bit != 0 {
			mode |= flag
		}
	}
	return mode, nil
}

// keep fills in what was not asked for from the file that is there.
func (a *attributes) keep(fi fs.FileInfo) {
	if !a.hasMode {
		a.mode, a.hasKept = fi.Mode().Perm(), true
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		if a.uid < 0 {
			a.uid = int(st.Uid)
		}
		if a.gid < 0 {
			a.gid = int(st.Gid)
		}
	}
}

// createMode is the mode that the new file is born with: nobody else may read it before it has its owner.
func (a attributes) createMode() fs.FileMode {
	if a.hasMode || a.hasKept {
		return 0o600
	}
	return 0o644
}

// apply gives f the attributes. The owner goes first: changing it clears setuid and setgid.
func (a attributes) apply(f *os.File) error {
	fi, err := f.Stat()
	if err != nil {
		return err
	}
	if st, ok := fi.Sys().(*syscall.Stat_t); ok && a.uid == int(st.Uid) && a.gid == int(st.Gid) {
		a.uid, a.gid = -1, -1 // nothing to do, and the file system may not know owners
	}
	if a.uid >= 0 || a.gid >= 0 {
		if err := f.Chown(a.uid, a.gid); err != nil {
			return fmt.Errorf("owner %d:%d cannot be set: %w: give the owner and group that it shall have, or run as root",
				a.uid, a.gid, bare(err))
		}
	}
	if a.hasMode || a.hasKept {
		return f.Chmod(a.mode)
	}
	return nil
}

// bare is err without the path, which would be that of the temporary file.
func bare(err error) error {
	if p := (*fs.PathError)(nil); errors.As(err, &p) {
		return p.Err
	}
	if l := (*os.LinkError)(nil); errors.As(err, &l) {
		return l.Err
	}
	return err
}
