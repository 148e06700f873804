package channel

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"reflect"
	"sync"
	"time"
)

// A file system's original answers questions, each a callback.
type fsQuestion struct {
	What   string // "open", "read", "close", "stat", "list"
	Name   string
	Handle int
	Size   int
}

type fsAnswer struct {
	Handle int
	Data   []byte
	Info   fsInfo
	List   []fsInfo
}

type fsInfo struct {
	Name    string
	Size    int64
	Mode    fs.FileMode
	ModTime time.Time
}

type fsFunc = func(context.Context, fsQuestion) (fsAnswer, error)

const (
	maxHandles = 1024     // files that one file system's stand-in may have open
	fsChunk    = 64 << 10 // bytes of one read
	fsList     = 256      // entries of one list
)

func infoOf(i fs.FileInfo) fsInfo {
	return fsInfo{Name: i.Name(), Size: i.Size(), Mode: i.Mode(), ModTime: i.ModTime()}
}

// exportFS answers for a file system.
func (b *Bridges) exportFS(v reflect.Value) ([]uint32, error) {
	k := &fsKeeper{fsys: v.Interface().(fs.FS), files: map[int]*keptFile{}}
	ids, err := b.exportFunc(reflect.ValueOf(k.answer))
	b.later(k.closeAll)
	return ids, err
}

// An fsKeeper has the files that are open.
type fsKeeper struct {
	fsys fs.FS

	mu    sync.Mutex // guards what follows
	files map[int]*keptFile
	last  int
}

// A keptFile answers one question at a time.
type keptFile struct {
	mu sync.Mutex
	fs.File
}

func (k *fsKeeper) answer(_ context.Context, q fsQuestion) (fsAnswer, error) {
	if q.What == "open" {
		return k.open(q.Name)
	}
	k.mu.Lock()
	f := k.files[q.Handle]
	if q.What == "close" {
		delete(k.files, q.Handle)
	}
	k.mu.Unlock()
	if f == nil {
		return fsAnswer{}, fs.ErrClosed
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch q.What {
	case "close":
		return fsAnswer{}, f.Close()
	case "stat":
		info, err := f.Stat()
		if err != nil {
			return fsAnswer{}, err
		}
		return fsAnswer{Info: infoOf(info)}, nil
	case "read":
		buf := make([]byte, max(min(q.Size, fsChunk), 0))
		n, err := f.Read(buf)
		return fsAnswer{Data: buf[:n]}, err
	case "list":
		return list(f.File, max(min(q.Size, fsList), 1))
	}
	return fsAnswer{}, errors.ErrUnsupported
}

func (k *fsKeeper) open(name string) (fsAnswer, error) {
	f, err := k.fsys.Open(name)
	if err != nil {
		return fsAnswer{}, err
	}
	info, err := f.Stat()
	if err != nil {
		_ = f.Close()
		return fsAnswer{}, err
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.files == nil || len(k.files) >= maxHandles {
		_ = f.Close()
		return fsAnswer{}, &fs.PathError{Op: "open", Path: name, Err: errors.New("too many files are open")}
	}
	k.last++
	k.files[k.last] = &keptFile{File: f}
	return fsAnswer{Handle: k.last, Info: infoOf(info)}, nil
}

func list(f fs.File, n int) (fsAnswer, error) {
	dir, ok := f.(fs.ReadDirFile)
	if !ok {
		return fsAnswer{}, errors.ErrUnsupported
	}
	entries, err := dir.ReadDir(n)
	var a fsAnswer
	for _, e := range entries {
		info, bad := e.Info()
		if bad != nil {
			if errors.Is(bad, fs.ErrNotExist) {
				continue // it went away meanwhile
			}
			return fsAnswer{}, bad
		}
		a.List = append(a.List, infoOf(info))
	}
	return a, err
}

func (k *fsKeeper) closeAll() {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, f := range k.files {
		_ = f.Close()
	}
	k.files = nil
}

// importFS makes the stand-in of a file system.
func (b *Bridges) importFS(s *Stream) (reflect.Value, error) {
	ask, err := b.importFunc(reflect.TypeFor[fsFunc](), s)
	if err != nil {
		return reflect.Value{}, err
	}
	return reflect.ValueOf(&farFS{ask: ask.Interface().(fsFunc), ctx: b.ctx}), nil
}

// A farFS stands for a file system of the other side.
type farFS struct {
	ask fsFunc
	ctx context.Context
}

// Open opens a file where the file system is.
func (f *farFS) Open(name string) (fs.File, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrInvalid}
	}
	a, err := f.ask(f.ctx, fsQuestion{What: "open", Name: name})
	if err != nil {
		return nil, original(err)
	}
	file := &farFile{fs: f, name: name, handle: a.Handle}
	if a.Info.Mode.IsDir() {
		return &farDir{farFile: file}, nil
	}
	return file, nil
}

// original is the error that a callback returned, without what says that it came from afar: callers of an fs.FS expect
// an *fs.PathError, and io.EOF itself.
func original(err error) error {
	var p *fs.PathError
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case errors.As(err, &p):
		return p
	}
	return err
}

type farFile struct {
	fs     *farFS
	name   string
	handle int
	once   sync.Once
	closed error

	mu   sync.Mutex // guards what follows
	data []byte     // came, and was not read
	end  error      // comes after data
}

func (f *farFile) question(what string, size int) (fsAnswer, error) {
	a, err := f.fs.ask(f.fs.ctx, fsQuestion{What: what, Handle: f.handle, Size: size})
	if err != nil {
		err = original(err)
	}
	return a, err
}

func (f *farFile) Stat() (fs.FileInfo, error) {
	a, err := f.question("stat", 0)
	if err != nil {
		return nil, err
	}
	return farInfo{a.Info}, nil
}

// Read takes from what came with the last answer, and asks for the next piece when that is used up.
func (f *farFile) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.data) == 0 && f.end == nil {
		var a fsAnswer
		a, f.end = f.question("read", fsChunk)
		f.data = a.Data
	}
	n := copy(p, f.data)
	f.data = f.data[n:]
	if n > 0 || len(f.data) > 0 {
		return n, nil
	}
	return 0, f.end
}

func (f *farFile) Close() error {
	closedBefore := true
	f.once.Do(func() {
		closedBefore = false
		_, f.closed = f.question("close", 0)
	})
	if closedBefore {
		return &fs.PathError{Op: "close", Path: f.name, Err: fs.ErrClosed}
	}
	return f.closed
}

type farDir struct {
	*farFile
	rest []fs.DirEntry
	end  error
}

// ReadDir lists the next n entries, all of them for n ≤ 0.
func (d *farDir) ReadDir(n int) ([]fs.DirEntry, error) {
	for d.end == nil && (n <= 0 || len(d.rest) < n) {
		a, err := d.question("list", fsList)
		for _, i := range a.List {
			d.rest = append(d.rest, fs.FileInfoToDirEntry(farInfo{i}))
		}
		if err == nil && len(a.List) == 0 {
			err = io.EOF
		}
		d.end = err
	}
	if n <= 0 {
		all := d.rest
		d.rest = nil
		if d.end == io.EOF {
			return all, nil
		}
		return all, d.end
	}
	if len(d.rest) == 0 {
		return nil, d.end
	}
	n = min(n, len(d.rest))
	some := d.rest[:n:n]
	d.rest = d.rest[n:]
	return some, nil
}

type farInfo struct{ i fsInfo }

func (f farInfo) Name() string       { return f.i.Name }
func (f farInfo) Size() int64        { return f.i.Size }
func (f farInfo) Mode() fs.FileMode  { return f.i.Mode }
func (f farInfo) ModTime() time.Time { return f.i.ModTime }
func (f farInfo) IsDir() bool        { return f.i.Mode.IsDir() }
func (f farInfo) Sys() any           { return nil }
