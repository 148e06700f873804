package pathway

import (
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// Own says, as an error, who else than root and this process's user can change a file, or what is in a directory. It is what
// [Walk] looks with, for what only these two may decide. In a directory with the sticky bit, such as /tmp, others cannot
// replace what is not theirs. A link has no mode of its own.
func Own(at string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	switch me := os.Geteuid(); {
	case !ok:
		return fmt.Errorf("the owner of %.1024q is not known", at)
	case stat.Uid != 0 && int64(stat.Uid) != int64(me):
		return fmt.Errorf("%.1024q belongs to uid %d, who could change it; it should belong to root or to uid %d", at, stat.Uid, me)
	case info.Mode().Perm()&0o022 != 0 && !(info.IsDir() && info.Mode()&fs.ModeSticky != 0) && info.Mode()&fs.ModeSymlink == 0:
		return fmt.Errorf("%.1024q can be changed by group or others (mode %04o); chmod go-w it", at, info.Mode().Perm())
	}
	return nil
}
