package plugin

import (
	"errors"
	"os"
	"path/filepath"
	"runtime/debug"

	"golang.org/x/sys/unix"
)

// divert leads what this process and its children print into a log in dir, of which about so many bytes are kept; below 0
// it goes to /dev/null, where it goes already. Stdout and stderr are a pipe that this process itself reads for as long
// as it lives: nobody can make it full by not reading, or break it by going away.
func divert(dir string, keep int64) (name string, err error) {
	if keep < 0 {
		return "", nil
	}
	f := &logFile{name: filepath.Join(dir, "log"), half: max(keep/2, 1)}
	if err := f.create(); err != nil {
		return "", err
	}
	var ends [2]int // os.Pipe would make the end that is written to non-blocking, which most programs do not expect
	if err := unix.Pipe2(ends[:], unix.O_CLOEXEC); err != nil {
		return "", err
	}
	err = errors.Join(unix.Dup3(ends[1], 1, 0), unix.Dup3(ends[1], 2, 0), unix.Close(ends[1]), unix.SetNonblock(ends[0], true))
	if err != nil {
		return "", err
	}
	go f.fill(os.NewFile(uintptr(ends[0]), "output")) // ends with the process
	return f.name, nil
}

// A logFile is a file and an older one, each of about half of what is kept.
type logFile struct {
	name string
	half int64
	file *os.File
	size int64
}

// create starts a new file. A crash of the process is written there by the runtime, not through the pipe, which nobody
// reads any more by then.
func (l *logFile) create() error {
	f, err := os.OpenFile(l.name, os.O_WRONLY|os.O_CREATE|os.O_TRUNC|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	if l.file != nil {
		_ = l.file.Close()
	}
	l.file, l.size = f, 0
	return debug.SetCrashOutput(f, debug.CrashOptions{})
}

// fill takes what is printed. A disk that is full costs text, and nothing else.
func (l *logFile) fill(from *os.File) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		if l.size > 0 && l.size+int64(n) > l.half {
			if os.Rename(l.name, l.name+".old") == nil {
				_ = l.create()
			}
		}
		written, _ := l.file.Write(buf[:n])
		l.size += int64(written)
	}
}
