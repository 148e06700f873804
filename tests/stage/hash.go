//go:build unix

package stage

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// HashTree is a sha256, in hexadecimal, over everything below dir: names, kinds, modes, owners, contents, link targets
// and device numbers. Times and hard links do not count. A tree that changes meanwhile gives an error or either hash.
func HashTree(dir string) (string, error) {
	sum := sha256.New()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return hashEntry(sum, name, path)
	})
	if err != nil {
		return "", fmt.Errorf("stage: hash %q: %w", dir, err)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

func hashEntry(sum io.Writer, name, path string) error {
	info, err := os.Lstat(path)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("no owner known for %q", path)
	}
	content, err := contentOf(path, info)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sum, "%q %v %d:%d %s\n", name, info.Mode(), stat.Uid, stat.Gid, content)
	return err
}

// contentOf is one line that stands for what the entry holds.
func contentOf(path string, info fs.FileInfo) (string, error) {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		f, err := os.Open(path)
		if err != nil {
			return "", err
		}
		defer f.Close()
		sum := sha256.New()
		if _, err := io.Copy(sum, f); err != nil {
			return "", err
		}
		return hex.EncodeToString(sum.Sum(nil)), nil
	case mode&fs.ModeSymlink != 0:
		target, err := os.Readlink(path)
		return fmt.Sprintf("%q", target), err
	case mode&fs.ModeDevice != 0:
		return fmt.Sprint(info.Sys().(*syscall.Stat_t).Rdev), nil
	}
	return "-", nil
}
