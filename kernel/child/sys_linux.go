package child

import (
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// move takes what is in a pipe, at most most bytes, to an offset of a file; 0 at the end of the pipe, EAGAIN if there is
// nothing now. What it has taken is in the file, whatever happens to this process meanwhile.
func move(pipe, file *os.File, off int64, most int) (int64, error) {
	return splice(pipe, file, &off, most)
}

// null is where what nobody wants goes, and what processes get that are given nothing.
var null = sync.OnceValues(func() (*os.File, error) { return os.OpenFile(os.DevNull, os.O_RDWR, 0) })

// empty drops what is in a pipe; 0 at its end, EAGAIN if there is nothing now.
func empty(pipe *os.File, most int) (int64, error) {
	sink, err := null()
	if err != nil {
		return 0, err
	}
	return splice(pipe, sink, nil, most)
}

func splice(pipe, file *os.File, off *int64, most int) (n int64, err error) {
	in, err := pipe.SyscallConn()
	if err != nil {
		return 0, err
	}
	out, err := file.SyscallConn()
	if err != nil {
		return 0, err
	}
	closed := error(nil)
	failed := in.Control(func(from uintptr) {
		closed = out.Control(func(to uintptr) {
			for {
				if n, err = spliceOnce(int(from), int(to), off, most); err != unix.EINTR {
					return
				}
			}
		})
	})
	if failed != nil || closed != nil {
		return 0, os.ErrClosed
	}
	return max(n, 0), os.NewSyscallError("splice", err)
}

// spliceOnce hides that the result has another type on 32-bit systems.
func spliceOnce(from, to int, off *int64, most int) (int64, error) {
	n, err := unix.Splice(from, nil, to, off, most, unix.SPLICE_F_NONBLOCK|unix.SPLICE_F_MOVE)
	return int64(n), err
}

// punch gives a part of a file back to the disk. If that cannot be, the file keeps it.
func punch(f *os.File, from, to int64) {
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			_ = unix.Fallocate(int(fd), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, from, to-from)
		})
	}
}

// canPunch reports whether a directory's file system gives back parts of files.
func canPunch(f *os.File) error {
	if _, err := f.WriteAt(make([]byte, 8192), 0); err != nil {
		return err
	}
	return unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, 0, 4096)
}

// firstData is where a file has something else than holes.
func firstData(f *os.File) int64 {
	var at int64
	if raw, err := f.SyscallConn(); err == nil {
		_ = raw.Control(func(fd uintptr) {
			if at, err = unix.Seek(int(fd), 0, unix.SEEK_DATA); err != nil {
				at = 0
			}
		})
	}
	return at
}

// pipe makes a pipe. Its end blocks, as programs expect; this process's does only where it is read, for which there is splice.
func pipe(reads bool) (mine, its *os.File, err error) {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		return nil, nil, os.NewSyscallError("pipe2", err)
	}
	if !reads {
		fds[0], fds[1] = fds[1], fds[0]
		if err := unix.SetNonblock(fds[0], true); err != nil {
			return nil, nil, os.NewSyscallError("fcntl", err)
		}
	}
	return os.NewFile(uintptr(fds[0]), "pipe"), os.NewFile(uintptr(fds[1]), "pipe"), nil
}
