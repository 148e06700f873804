package transport

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

var (
	// ErrUnsafe says that a program may not be run as a transport, because someone other than root could have put it
	// there or could change it.
	ErrUnsafe = errors.New("not safe to run")

	// ErrNotFound says that the program of a transport is not on this machine.
	ErrNotFound = errors.New("program not found")
)

// programDirs is where bare names are looked up. PATH is the caller's and may lead to a planted "sudo".
var programDirs = []string{"/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"}

func programOr(program, fallback string) string {
	if program == "" {
		return fallback
	}
	return program
}

// checkProgram checks the text of a program field; empty means the default.
func checkProgram(what, program string) error {
	if strings.Contains(program, "/") && program[0] != '/' {
		return fmt.Errorf("%w: %w", invalid(what, program, "is a relative path; write an absolute path or a bare name"),
			ErrUnsafe)
	}
	if strings.HasPrefix(program, "-") {
		return invalid(what, program, "must not begin with '-', it would be read as an option")
	}
	if program == "." || program == ".." {
		return invalid(what, program, "is a directory")
	}
	return checkText(what, program)
}

// findProgram returns the file to run for a bare name or an absolute path, once it is known to be safe.
func findProgram(name string) (string, error) {
	if err := checkProgram("program", name); err != nil {
		return "", err
	}
	if name[0] == '/' {
		return name, checkFile(name)
	}
	for _, dir := range programDirs {
		path := dir + "/" + name
		err := checkFile(path)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		return path, err // an unsafe file is an error, not a reason to look further
	}
	return "", fmt.Errorf("transport: program %s: is in none of %s; install it or give an absolute path: %w", shown(name),
		strings.Join(programDirs, ":"), ErrNotFound)
}

// checkFile accepts an executable that only root can change: it, every link on the way and every directory on the
// way belong to root and are writable by nobody else. (In a directory with the sticky bit, like /tmp, nobody else can
// replace what belongs to root.) Between this check and the start only root could exchange the file.
func checkFile(path string) error {
	info, err := walk(path)
	if err != nil {
		return err
	}
	switch {
	case info.IsDir():
		return fmt.Errorf("transport: program %s: is a directory: %w", shown(path), ErrUnsafe)
	case !info.Mode().IsRegular():
		return fmt.Errorf("transport: program %s: is not a regular file: %w", shown(path), ErrUnsafe)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("transport: program %s: is not executable (mode %04o): %w", shown(path), mode(info), ErrUnsafe)
	}
	return nil
}

// walk follows path step by step, links included, and checks who could change each of them.
func walk(path string) (fs.FileInfo, error) {
	_, info, err := pathway.Walk(path, func(at string, info fs.FileInfo) error { return onlyRootChanges(path, at, info) })
	var missing *fs.PathError
	switch {
	case err == nil, errors.Is(err, ErrUnsafe):
		return info, err
	case errors.Is(err, pathway.ErrLinks):
		err = fmt.Errorf("%w: %w", err, ErrUnsafe)
	case errors.Is(err, fs.ErrNotExist) && errors.As(err, &missing):
		err = fmt.Errorf("%s does not exist: %w", shown(missing.Path), ErrNotFound)
	}
	return nil, fmt.Errorf("transport: program %s: %w", shown(path), err)
}

func onlyRootChanges(path, at string, info fs.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("transport: program %s: the owner of %s is unknown: %w", shown(path), shown(at), ErrUnsafe)
	}
	if stat.Uid != 0 {
		return fmt.Errorf("transport: program %s: %s is owned by uid %d (mode %04o), should be root: %w", shown(path),
			shown(at), stat.Uid, mode(info), ErrUnsafe)
	}
	shared := info.Mode().Perm()&0o022 != 0
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0
	if shared && !sticky && info.Mode()&fs.ModeSymlink == 0 {
		return fmt.Errorf("transport: program %s: %s is writable by group or others (mode %04o): %w", shown(path), shown(at),
			mode(info), ErrUnsafe)
	}
	return nil
}

// mode is the permission bits as chmod writes them.
func mode(info fs.FileInfo) uint32 {
	m := uint32(info.Mode().Perm())
	for bit, octal := range map[fs.FileMode]uint32{fs.ModeSetuid: 0o4000, fs.ModeSetgid: 0o2000, fs.ModeSticky: 0o1000} {
		if info.Mode()&bit != 0 {
			m |= octal
		}
	}
	return m
}
