package doctor

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// How much is little, in bytes and files.
const (
	littleSpace = 64 << 20
	noSpace     = 1 << 20
	littleFiles = 1000
	noFiles     = 20
)

// space looks at the file systems that workers write to.
func space() []Finding {
	jobs, cache := homes()
	var found []Finding
	for _, d := range []struct{ path, use string }{{jobs, "of jobs"}, {"/tmp", "for temporary files"}} {
		found = append(found, room(d.path, d.use)...)
	}
	if at := existing(cache); noexec(at) {
		found = append(found, Finding{Check: checkMount, Severity: Warning,
			What: fmt.Sprintf("%s, where --deploy puts programs, is on a file system that is mounted noexec", cache),
			Fix:  "Name another directory with --cache, or install the program by hand."})
	}
	return found
}

// room looks at the free space of one directory, which need not be there yet.
func room(path, use string) []Finding {
	at := existing(path)
	var s unix.Statfs_t
	if unix.Statfs(at, &s) != nil {
		return nil
	}
	dir := fmt.Sprintf("the directory %s, %s,", use, path)
	if s.Flags&unix.ST_RDONLY != 0 {
		return []Finding{{Check: checkSpace, Severity: Warning, What: dir + " is on a file system that is mounted read-only",
			Fix: "Mount something there that can be written."}}
	}
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
