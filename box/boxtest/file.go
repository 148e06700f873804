package boxtest

import (
	"io/fs"
	"os"
	"syscall"
	"testing"
)

const missing = "/nonexistent-boxtest/file"

// fileCases are the failures of files and system calls.
func fileCases() []Case {
	return []Case{
		{Name: "open a missing file",
			Make: func() error { _, err := os.Open(missing); return err },
			also: all(is(fs.ErrNotExist, syscall.ENOENT), as(func(t testing.TB, got, own *fs.PathError) {
				equal(t, "Op", got.Op, own.Op)
				equal(t, "Path", got.Path, own.Path)
				equal(t, "Err", got.Err, own.Err)
			}))},
		{Name: "rename a missing file",
			Make: func() error { return os.Rename(missing, missing+"2") },
			also: all(is(fs.ErrNotExist), as(func(t testing.TB, got, own *os.LinkError) { equal(t, "LinkError", *got, *own) }))},
		{Name: "a system call",
			Make: func() error { return os.NewSyscallError("mount", syscall.EPERM) },
			also: all(is(fs.ErrPermission, syscall.EPERM),
				as(func(t testing.TB, got, own *os.SyscallError) { equal(t, "SyscallError", *got, *own) }))},
		{Name: "an errno",
			Make: func() error { return syscall.EAGAIN },
			also: all(is(syscall.EAGAIN), as(func(t testing.TB, got, own syscall.Errno) {
				equal(t, "Errno", got, own)
				equal(t, "Temporary", got.Temporary(), true)
			}))},
		{Name: "an errno without a name",
			Make: func() error { return syscall.Errno(9999) },
			also: is(syscall.Errno(9999))},
		{Name: "a closed file",
			Make: func() error {
				f, err := os.Open("/")
				if err != nil {
					return err
				}
				_ = f.Close()
				_, err = f.Stat()
				return err
			},
			also: all(is(fs.ErrClosed), as[*fs.PathError](nil))},
		{Name: "a path error around another",
			Make: func() error {
				return &fs.PathError{Op: "outer", Path: "a", Err: &fs.PathError{Op: "inner", Path: "b", Err: fs.ErrExist}}
			},
			also: all(is(fs.ErrExist), as(func(t testing.TB, got, own *fs.PathError) {
				inner, ok := got.Err.(*fs.PathError)
				if !ok {
					t.Fatalf("Err is a %T; want a *fs.PathError", got.Err)
				}
				equal(t, "the inner one", *inner, *own.Err.(*fs.PathError))
			}))},
	}
}
