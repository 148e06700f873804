package plugin

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/seed354a1416/deliveryboy/internal/detached"
)

// role is what the copy of the program that serves a detached plugin is started for.
const role = "plugin"

func init() { detached.Role(role, keep) }

// A report is the first thing that a detached plugin says: its record, or why there is none.
type report struct {
	Record Record
	Err    string
}

// maxReport is the longest report that is read, in bytes.
const maxReport = 64 << 10

// startDetached starts a copy of this program, gives it the order, waits for its report, and lets it stay. A copy that is
// not told that it may stay ends: its starter has died, or does not want it any more.
func startDetached(ctx context.Context, o order) (Record, error) {
	if _, version, agreed, err := o.Question.agree(); err != nil {
		return Record{}, err
	} else if !agreed {
		return Record{}, fmt.Errorf("no version is on both sides; the lowest here is %d", version)
	}
	if o.Dir == "" {
		o.Dir = runtimeDir()
	}
	dir, err := os.MkdirTemp(o.Dir, "deliveryboy-plugin-")
	if err != nil {
		return Record{}, err
	}
	o.Dir = dir
	var r Record
	if err = shortEnough(dir); err == nil {
		r, err = launch(ctx, o)
	}
	if err != nil {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	return r, err
}

// shortEnough refuses a directory in which go-plugin's socket would have a name that the system does not take.
func shortEnough(dir string) error {
	const longest = len(unix.RawSockaddrUnix{}.Path) - 1
	if n := len(dir) + len("/plugin4294967295"); n > longest {
		return fmt.Errorf("directory %s: the name of a socket in it would have up to %d bytes, and may have %d", dir, n, longest)
	}
	return nil
}

// launch starts the copy. One that has not reported is killed: it may hang in a plugin's own code.
func launch(ctx context.Context, o order) (r Record, err error) {
	orders, tell, err := os.Pipe()
	if err != nil {
		return Record{}, err
	}
	defer tell.Close()
	hear, reports, err := os.Pipe()
	if err != nil {
		_ = orders.Close()
		return Record{}, err
	}
	defer hear.Close()
	pid, err := detached.Start(role, nil, orders, reports)
	_, _ = orders.Close(), reports.Close()
	if err != nil {
		return Record{}, err
	}
	if started, err := startOf(pid); err == nil && detached.Is(pid) {
		if p, err := openProcess(pid, started); err == nil {
			defer p.close()
			defer func() {
				if r.ID == "" {
					_ = p.kill()
				}
			}()
		}
	}
	return converse(ctx, o, tell, hear)
}

// converse gives a copy its order, and hears what became of it.
func converse(ctx context.Context, o order, tell, hear *os.File) (Record, error) {
	stop := context.AfterFunc(ctx, func() { _ = hear.Close() })
	defer stop()
	if err := json.NewEncoder(tell).Encode(o); err != nil {
		return Record{}, fmt.Errorf("it ended before it had its order: %w", err)
	}
	var said report
	err := json.NewDecoder(io.LimitReader(hear, maxReport)).Decode(&said)
	switch {
	case ctx.Err() != nil:
		return Record{}, ctx.Err()
	case err != nil:
		return Record{}, fmt.Errorf("it ended before it served: %w", err)
	case said.Err != "":
		return Record{}, errors.New(said.Err)
	}
	if _, err := tell.Write([]byte(stay)); err != nil {
		return Record{}, fmt.Errorf("it ended as soon as it served: %w", err)
	}
	return said.Record, nil
}

// stay is what a copy has to hear to go on.
const stay = "stay\n"

// keep is the life of a detached plugin.
func keep([]string) int {
	orders, reports := detached.File(0), detached.File(1)
	defer reports.Close()
	unix.CloseOnExec(int(orders.Fd()))
	unix.CloseOnExec(int(reports.Fd()))
	in := bufio.NewReader(orders)
	var o order
	line, err := in.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &o)
	}
	if err != nil {
		return 1 // nobody to tell
	}
	k := &keeper{order: o}
	r, err := k.begin()
	if err != nil {
		_ = json.NewEncoder(reports).Encode(report{Err: err.Error()})
		return 1
	}
	err = json.NewEncoder(reports).Encode(report{Record: r})
	if err == nil {
		line, err = in.ReadBytes('\n')
	}
	_, _ = orders.Close(), reports.Close()
	if err != nil || string(line) != stay {
		k.cancel()
	}
	k.wait()
	_ = os.RemoveAll(o.Dir)
	return 0
}

// runtimeDir is where sockets of this user belong.
func runtimeDir() string {
	dir, uid := "/run", os.Getuid()
	if uid != 0 {
		dir = filepath.Join("/run/user", strconv.Itoa(uid))
	}
	var s unix.Stat_t
	if unix.Stat(dir, &s) == nil && int(s.Uid) == uid && s.Mode&unix.S_IFMT == unix.S_IFDIR && s.Mode&0o022 == 0 && unix.Access(dir, unix.W_OK) == nil {
		return dir
	}
	return os.TempDir()
}
