package doctor

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/statedir"
)

// How much is little, in bytes and files.
const (
	littleSpace = 64 << 20
	noSpace     = 1 << 20
	littleFiles = 1000
	noFiles     = 20
)

// space looks at the directories that workers write to.
func space() []Finding {
	return append(append(jobsDirectory(), temporary()...), caches()...)
}

// jobsDirectory looks at where jobs are kept. Many places have none on purpose: it need not be possible.
func jobsDirectory() []Finding {
	const fix = "Nothing, if no jobs are started here; otherwise give this user a directory of its own, in XDG_STATE_HOME for instance."
	none := func(severity Severity, why, fix string) []Finding {
		return []Finding{{Check: checkJobs, Severity: severity, What: "jobs cannot be kept here: " + why, Fix: fix}}
	}
	dir, err := statedir.Path()
	if err != nil {
		return none(Note, oneLine(err.Error()), fix)
	}
	if _, err := os.Lstat(dir); err == nil {
		if err := statedir.Check(dir); err != nil {
			return none(Warning, dir+": "+err.Error(), "Correct that, or move it out of the way.")
		}
	}
	if why := unwritable(existing(dir)); why != "" {
		return none(Note, "the directory "+dir+" "+why, fix)
	}
	return append(room(dir, "of jobs"), quotas("/", existing(dir))...)
}

// quotas says that there may be some where a directory is: how much of them is left is not looked at.
func quotas(root, dir string) []Finding {
	text, err := os.ReadFile(filepath.Join(root, "proc/self/mounts"))
	if err != nil {
		return nil
	}
	at, options := "", ""
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) < 4 || len(words[1]) < len(at) || dir != words[1] && !strings.HasPrefix(dir, strings.TrimSuffix(words[1], "/")+"/") {
			continue
		}
		at, options = words[1], words[3]
	}
	for _, option := range strings.Split(options, ",") {
		name, _, _ := strings.Cut(option, "=")
		if slices.Contains([]string{"quota", "usrquota", "grpquota", "prjquota", "uquota", "gquota", "pquota", "usrjquota", "grpjquota"}, name) {
			return []Finding{{Check: checkSpace, Severity: Note, What: notChecked + "the quota of this user on " + at + " (" + option + ")",
				Fix: "Look with quota -s, as this user."}}
		}
	}
	return nil
}

// temporary looks at where functions make their temporary files.
func temporary() []Finding {
	dir := os.TempDir()
	info, err := os.Stat(dir)
	why := ""
	switch {
	case err != nil:
		why = "is not there"
	case !info.IsDir():
		why = "is no directory"
	default:
		why = unwritable(dir)
	}
	if why != "" {
		return []Finding{{Check: checkSpace, Severity: Note, What: "there are no temporary files here: the directory " + dir + " " + why,
			Fix: "Nothing, if functions need none; otherwise mount a tmpfs there, or name another directory in TMPDIR."}}
	}
	if info.Mode().Perm()&0o002 != 0 && info.Mode()&fs.ModeSticky == 0 {
		return []Finding{{Check: checkSpace, Severity: Warning, What: fmt.Sprintf("everybody can remove and replace the temporary files of others: %s has no sticky bit (mode %04o)", dir, info.Mode().Perm()),
			Fix: "Run: chmod 1777 " + dir + "."}}
	}
	return room(dir, "for temporary files")
}

// caches says whether --deploy would find a place, where this program would not find itself. These are the places that it
// tries, in its order.
func caches() []Finding {
	home, uid := os.Getenv("XDG_CACHE_HOME"), strconv.Itoa(os.Geteuid())
	if h := os.Getenv("HOME"); home == "" && h != "" {
		home = filepath.Join(h, ".cache")
	}
	places := []string{filepath.Join(home, "deliveryboy/bin"), filepath.Join(os.Getenv("XDG_RUNTIME_DIR"), "deliveryboy-bin"),
		"/dev/shm/deliveryboy-bin-" + uid, "/tmp/deliveryboy-bin-" + uid, "/var/tmp/deliveryboy"}
	if os.Geteuid() == 0 {
		places = append([]string{"/var/cache/deliveryboy"}, places...)
	}
	var tried []string
	for _, place := range places {
		if !filepath.IsAbs(place) {
			continue
		}
		why := unfit(place)
		if why == "" {
			return nil
		}
		tried = append(tried, place+" "+why)
	}
	return []Finding{{Check: checkMount, Severity: Note, What: "there is no place here to which --deploy could bring programs: " + strings.Join(tried, "; "),
		Fix: "Nothing, if this program stays installed here; otherwise name a directory of this user's with --cache, on a file system with room that is not mounted noexec."}}
}

// unfit says why a program cannot be put into a directory, which need not be there; empty if it can.
func unfit(dir string) string {
	at := existing(dir)
	if why := unwritable(at); why != "" {
		return why
	}
	var s unix.Statfs_t
	switch {
	case noexec(at):
		return "is on a file system that is mounted noexec"
	case unix.Statfs(at, &s) == nil && s.Blocks > 0 && s.Bavail*uint64(s.Bsize) < uint64(ownSize()):
		return fmt.Sprintf("has %d KiB left, and this program has %d KiB", s.Bavail*uint64(s.Bsize)>>10, ownSize()>>10)
	}
	return ""
}

// unwritable says why this user cannot make files in a directory; empty if it can.
func unwritable(dir string) string {
	switch err := unix.Access(dir, unix.W_OK|unix.X_OK); err {
	case nil:
		return ""
	case unix.EROFS:
		return "is on a file system that is mounted read-only"
	default:
		return fmt.Sprintf("cannot be written by this user: %s: %v", dir, err)
	}
}

// room looks at the free space of one directory, which need not be there yet.
func room(path, use string) []Finding {
	var s unix.Statfs_t
	if unix.Statfs(existing(path), &s) != nil {
		return nil
	}
	dir := fmt.Sprintf("the directory %s, %s,", use, path)
	var found []Finding
	free := s.Bavail * uint64(s.Bsize)
	if s.Blocks > 0 && free < littleSpace {
		found = append(found, Finding{Check: checkSpace, Severity: scarce(free < noSpace),
			What: fmt.Sprintf("%s has %d KiB left", dir, free>>10), Fix: "Make room there, with deliveryboy jobs gc for instance."})
	}
	if s.Files > 0 && s.Ffree < littleFiles {
		found = append(found, Finding{Check: checkSpace, Severity: scarce(s.Ffree < noFiles),
			What: fmt.Sprintf("%s has room for %d more files (inodes)", dir, s.Ffree), Fix: "Delete files there, with deliveryboy jobs gc for instance."})
	}
	return found
}

func scarce(gone bool) Severity {
	if gone {
		return Error
	}
	return Warning
}
