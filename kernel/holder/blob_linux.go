package holder

import (
	"encoding/json"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// blob puts bytes into a file in memory, for a note that is longer than a note may be.
func blob(name string, data []byte) (*os.File, error) {
	fd, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("holder: %w", os.NewSyscallError("memfd_create", err))
	}
	f := os.NewFile(uintptr(fd), name)
	if _, err := f.WriteAt(data, 0); err != nil {
		f.Close()
		return nil, fmt.Errorf("holder: %w", err)
	}
	return f, nil
}

// Blob puts a value into a file in memory, as JSON: for what is longer than a note may be.
func Blob(name string, value any) (*os.File, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, err
	}
	return blob(name, data)
}
