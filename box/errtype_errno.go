package box

import (
	"reflect"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// A system error travels by name: ENOTSUP is 95 on Linux and 45 on a Mac. The number counts only where it has no name.
func putErrno(w *fieldWriter, v reflect.Value) error {
	w.string(unix.ErrnoName(syscall.Errno(v.Uint())))
	w.uint(v.Uint())
	return nil
}

func getErrno(r *fieldReader, v reflect.Value) error {
	name, err := r.bytes()
	if err != nil {
		return err
	}
	n, err := r.uint()
	if err != nil {
		return err
	}
	if len(name) > 0 {
		errno, ok := errnos()[string(name)]
		if !ok {
			return errBadFields // a number that means something else here would be a lie
		}
		n = uint64(errno)
	}
	if v.OverflowUint(n) {
		return errBadFields
	}
	v.SetUint(n)
	return nil
}

// errnos are the names of the system errors here.
var errnos = sync.OnceValue(func() map[string]syscall.Errno {
	const highest = 2048 // the highest one known is 1133, on Linux on MIPS
	names := make(map[string]syscall.Errno)
	for n := syscall.Errno(1); n < highest; n++ {
		if name := unix.ErrnoName(n); name != "" {
			names[name] = n
		}
	}
	return names
})
