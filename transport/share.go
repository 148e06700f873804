package transport

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
)

// controlName is the longest file name that ssh makes of ours while it creates the socket: eight digits and "-", the
// 40 digits of %C, and a suffix of 17 bytes.
const controlName = 8 + 1 + 40 + 17

// controlPath is the ControlPath for this target.
//
// %C covers only local host, host, port and user. Settings that decide whom we trust go into the name as well: a
// connection that was checked against other host keys, or opened with another key, must not be reused.
func (s SSH) controlPath() (string, error) {
	dir, err := controlDir()
	if err != nil {
		return "", err
	}
	settings := append([]string{s.Identity, s.ConfigFile, s.KnownHosts, s.Jump, s.Program}, s.Options...)
	sum := sha256.Sum256([]byte(strings.Join(settings, "\x00")))
	return fmt.Sprintf("%s/%x-%%C", dir, sum[:4]), nil
}

// controlDir returns a private directory for control sockets, creating it when it is missing.
func controlDir() (string, error) {
	uid := os.Geteuid()
	var candidates []string
	if runtimeDir := os.Getenv("XDG_RUNTIME_DIR"); runtimeDir != "" && checkPrivate(runtimeDir) == nil {
		candidates = append(candidates, filepath.Join(runtimeDir, "deliveryboy"))
	}
	name := fmt.Sprintf("deliveryboy-%d", uid)
	candidates = append(candidates, filepath.Join(os.TempDir(), name), "/tmp/"+name)
	for _, dir := range candidates {
		if !fitsSocket(dir) {
			continue
		}
		return dir, makePrivate(dir)
	}
	return "", fmt.Errorf("transport: ssh control directory %s: too long for a socket, or not a plain path; "+
		"set XDG_RUNTIME_DIR or TMPDIR to a short one, or set NoShare", shown(candidates[0]))
}

// fitsSocket reports whether ssh can put its socket into dir: sun_path is short, and ssh gives '%', '$', quotes and
// blanks a meaning.
func fitsSocket(dir string) bool {
	sunPath := 104
	if runtime.GOOS == "linux" {
		sunPath = 108
	}
	return dir[0] == '/' && plainWord(dir) && !strings.Contains(dir, "%") && len(dir)+1+controlName < sunPath
}

// makePrivate creates dir with mode 0700, or checks that it already is ours alone.
func makePrivate(dir string) error {
	if err := checkParent(filepath.Dir(dir)); err != nil {
		return err
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("transport: ssh control directory: %w; set NoShare to do without", err)
	}
	return checkPrivate(dir)
}

// checkParent refuses a parent in which another user could exchange our directory after it was checked.
func checkParent(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return fmt.Errorf("transport: ssh control directory: %w", err)
	}
	owner, _ := info.Sys().(*syscall.Stat_t)
	others := info.Mode().Perm()&0o022 != 0 && info.Mode()&fs.ModeSticky == 0
	if owner == nil || others || int(owner.Uid) != 0 && int(owner.Uid) != os.Geteuid() {
		return fmt.Errorf("transport: ssh control directory: others may replace files in %s (mode %04o): %w", shown(dir),
			mode(info), ErrUnsafe)
	}
	return nil
}

// checkPrivate accepts a real directory that belongs to us and that nobody else may enter. It opens the directory
// without following a link and compares what it got with what the name shows.
func checkPrivate(dir string) error {
	unsafe := func(why string) error {
		return fmt.Errorf("transport: ssh control directory %s: %s; remove it, or set NoShare to do without: %w",
			shown(dir), why, ErrUnsafe)
	}
	before, err := os.Lstat(dir)
	if err != nil {
		return fmt.Errorf("transport: ssh control directory: %w", err)
	}
	if before.Mode()&fs.ModeSymlink != 0 {
		return unsafe("is a symbolic link")
	}
	if !before.IsDir() {
		return unsafe("is not a directory")
	}
	if owner, _ := before.Sys().(*syscall.Stat_t); owner == nil || int(owner.Uid) != os.Geteuid() {
		return unsafe(fmt.Sprintf("does not belong to uid %d", os.Geteuid()))
	}
	file, err := os.OpenFile(dir, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_DIRECTORY, 0)
	if err != nil {
		return fmt.Errorf("transport: ssh control directory: %w", err)
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return fmt.Errorf("transport: ssh control directory: %w", err)
	}
	if !os.SameFile(before, info) {
		return unsafe("was exchanged while it was checked")
	}
	if info.Mode().Perm() != 0o700 {
		return unsafe(fmt.Sprintf("has mode %04o, should be 0700", mode(info)))
	}
	return nil
}

// CloseShared ends the shared connection to this target, if one is open; calls that still use it fail. It runs
// "ssh -O exit" and returns nil when there is nothing to close. Settings must be the same as for the calls.
func (s SSH) CloseShared(ctx context.Context) error {
	if s.NoShare {
		return nil
	}
	argv, err := s.client(false, false)
	if err != nil {
		return err
	}
	argv = append(argv, "-O", "exit", "--", s.Host)
	if argv[0], err = findProgram(argv[0]); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(slices.Clone(os.Environ()), "LC_ALL=C") // the message below is matched
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	err = cmd.Run()
	if err == nil || strings.Contains(stderr.String(), "Control socket connect(") {
		return nil
	}
	if ctx.Err() != nil {
		return fmt.Errorf("transport: close the shared connection to %s: %w", shown(s.Host), ctx.Err())
	}
	return fmt.Errorf("transport: close the shared connection to %s: %w: %s", shown(s.Host), err,
		shown(strings.TrimSpace(stderr.String())))
}
