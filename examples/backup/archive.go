package main

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// Order is what to back up, and where to: absolute paths.
type Order struct{ Dir, File string }

// Report is what a backup has become.
type Report struct {
	Files  int // regular ones
	Bytes  int64
	Size   int64 // of the archive
	SHA256 string
	Took   time.Duration
}

// errInside is an order that would have the archive hold itself. Registered, it is the same on both sides for errors.Is.
var errInside = errors.New("the archive would lie in the directory that is to be in it")

// step is how many files lie between two records of the log.
const step = 1000

// writeArchive packs a directory into a tar.gz, all of it or nothing: it is written beside its place and renamed. It knows
// nothing of jobs; what it prints and logs is kept by whoever runs it.
func writeArchive(ctx context.Context, o Order) (r Report, err error) {
	start := time.Now()
	fmt.Printf("backup of %q to %q\n", o.Dir, o.File)
	root, err := openDir(o)
	if err != nil {
		return r, err
	}
	defer root.Close()
	f, err := os.CreateTemp(filepath.Dir(o.File), ".backup-*")
	if err != nil {
		return r, err
	}
	defer func() {
		f.Close()
		if err != nil {
			os.Remove(f.Name())
		}
	}()
	sum := sha256.New()
	if r, err = pack(ctx, root, io.MultiWriter(f, sum)); err != nil {
		return r, err
	}
	if err := f.Sync(); err != nil {
		return r, err
	}
	info, err := f.Stat()
	if err != nil {
		return r, err
	}
	r.Size, r.SHA256, r.Took = info.Size(), hex.EncodeToString(sum.Sum(nil)), time.Since(start)
	return r, os.Rename(f.Name(), o.File)
}

// openDir opens the directory. What is read below it is below it, even if somebody swaps a link in meanwhile.
func openDir(o Order) (*os.Root, error) {
	dir, err := filepath.EvalSymlinks(o.Dir)
	if err != nil {
		return nil, err
	}
	to, err := filepath.EvalSymlinks(filepath.Dir(o.File))
	if err != nil {
		return nil, err
	}
	if rel, err := filepath.Rel(dir, to); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
		return nil, fmt.Errorf("backup of %q to %q: %w", o.Dir, o.File, errInside)
	}
	return os.OpenRoot(dir)
}

// pack writes the archive, and counts.
func pack(ctx context.Context, root *os.Root, to io.Writer) (Report, error) {
	zip := gzip.NewWriter(to)
	p := packer{root: root, tar: tar.NewWriter(zip)}
	err := fs.WalkDir(root.FS(), ".", func(name string, _ fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err == nil {
			err = p.add(ctx, name)
		}
		return err
	})
	if err == nil {
		err = p.tar.Close()
	}
	if err == nil {
		err = zip.Close()
	}
	return p.done, err
}

// packer adds files to an archive.
type packer struct {
	root *os.Root
	tar  *tar.Writer
	done Report
}

func (p *packer) add(ctx context.Context, name string) error {
	info, err := p.root.Lstat(name)
	if err != nil {
		return err
	}
	link := ""
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return p.addFile(ctx, name)
	case mode&fs.ModeSymlink != 0:
		if link, err = p.root.Readlink(name); err != nil {
			return err
		}
	case !mode.IsDir():
		fmt.Fprintf(os.Stderr, "%q is left out: %s\n", name, mode.Type())
		return nil
	}
	return p.head(name, info, link)
}

func (p *packer) head(name string, info fs.FileInfo, link string) error {
	h, err := tar.FileInfoHeader(info, link)
	if err != nil {
		return err
	}
	h.Name = name
	if info.IsDir() {
		h.Name += "/"
	}
	return p.tar.WriteHeader(h)
}

func (p *packer) addFile(ctx context.Context, name string) error {
	f, err := p.root.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) // whatever has taken its name
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return errors.Join(err, fmt.Errorf("%q is no file any more", name))
	}
	if err := p.head(name, info, ""); err != nil {
		return err
	}
	n, err := io.CopyN(p.tar, f, info.Size()) // it may grow meanwhile
	if err != nil {
		return fmt.Errorf("%q has changed: %w", name, err)
	}
	p.done.Files, p.done.Bytes = p.done.Files+1, p.done.Bytes+n
	if p.done.Files%step == 0 {
		slog.InfoContext(ctx, "progress", "files", p.done.Files, "bytes", p.done.Bytes)
	}
	return nil
}
