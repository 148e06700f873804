package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
)

// maxFile is the most that an audit reads of one file. The real ones have a few KiB.
const maxFile = 1 << 20

var (
	errNotRegular = errors.New("not a regular file")
	errTooLarge   = errors.New("too large for an audit")
)

// readFile returns what is in the file, and who owns it, from one descriptor: nobody can change the one between the
// other. It never waits on a pipe and never reads more than maxFile.
func readFile(name string) ([]byte, fs.FileInfo, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, nil, &fs.PathError{Op: "read", Path: name, Err: errNotRegular}
	}
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, nil, err
	}
	if len(data) > maxFile {
		return nil, nil, &fs.PathError{Op: "read", Path: name, Err: errTooLarge}
	}
	return data, info, nil
}

// logicalLine is a line of a configuration file, with the continued ones joined.
type logicalLine struct {
	number int // of its first line, from 1
	text   string
}

// logicalLines splits a file; a backslash at the end of a line continues it.
func logicalLines(data []byte) []logicalLine {
	var lines []logicalLine
	var text strings.Builder
	number, first := 0, 1
	for line := range strings.Lines(string(data)) {
		number++
		body, continued := strings.CutSuffix(strings.TrimRight(line, "\r\n"), `\`)
		text.WriteString(body)
		if continued {
			continue
		}
		lines = append(lines, logicalLine{first, text.String()})
		text.Reset()
		first = number + 1
	}
	if text.Len() > 0 {
		lines = append(lines, logicalLine{first, text.String()})
	}
	return lines
}

// weakness says why somebody other than root can change the file, or "" if nobody can.
func weakness(info fs.FileInfo) string {
	var why []string
	uid, gid, ok := owner(info)
	if ok && !isRoot(uid) {
		why = append(why, fmt.Sprintf("owned by uid %d", uid))
	}
	if info.Mode().Perm()&0o020 != 0 && ok && !isRoot(gid) {
		why = append(why, fmt.Sprintf("writable by group %d", gid))
	}
	if info.Mode().Perm()&0o002 != 0 {
		why = append(why, "writable by everyone")
	}
	return strings.Join(why, ", ")
}

// owner returns who owns a file; false where the file system does not say.
func owner(info fs.FileInfo) (uid, gid uint32, ok bool) {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, 0, false
	}
	return stat.Uid, stat.Gid, true
}

// overflowID is what the kernel shows for an owner that the user namespace has no number for.
const overflowID = 65534

// isRoot says whether a uid or gid may be the machine's root. Inside a user namespace root's own files show as
// nobody's, as do those of all others, so an audit there cannot tell them apart and does not accuse anyone.
func isRoot(id uint32) bool {
	return id == 0 || id == overflowID && ownersHidden()
}

// ownersHidden says whether this process is in a user namespace that does not map all users.
func ownersHidden() bool {
	data, err := os.ReadFile("/proc/self/uid_map")
	if err != nil {
		return false // not Linux
	}
	return strings.Join(strings.Fields(string(data)), " ") != "0 0 4294967295"
}
