package keeper

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job/store"
)

// ErrAway says that nobody keeps the job: it waits, has ended, or is lost.
var ErrAway = errors.New("nobody keeps the job at the moment")

// maxAnswer is the longest answer of a keeper: a dump of many goroutines.
const maxAnswer = 64 << 20

// dial connects to the keeper of a job.
func dial(ctx context.Context, j *store.Job) (*net.UnixConn, error) {
	name, release, err := address(j.Dir)
	if err != nil {
		return nil, err
	}
	defer release() //nolint:errcheck // a directory
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ECONNREFUSED) {
		return nil, ErrAway
	}
	if err != nil {
		return nil, fmt.Errorf("job %s: its keeper: %w", j.ID, err)
	}
	return conn.(*net.UnixConn), nil
}

// Ask gives an order to the keeper of a job: "cancel", "signal NUMBER", "suspend", "resume", "stats" or "dump". The error
// is ErrAway if there is none.
func Ask(ctx context.Context, j *store.Job, order string) (*Answer, error) {
	conn, err := dial(ctx, j)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * orderWait))
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := conn.Write([]byte(order + "\n")); err != nil {
		return nil, fmt.Errorf("job %s: its keeper takes no more connections at the moment: %w", j.ID, err)
	}
	line, err := bufio.NewReader(io.LimitReader(conn, maxAnswer)).ReadBytes('\n')
	a := new(Answer)
	if err == nil {
		err = json.Unmarshal(line, a)
	}
	if errors.Is(err, io.EOF) {
		return nil, ErrAway // it ended meanwhile
	}
	if errors.Is(err, os.ErrDeadlineExceeded) && ctx.Err() == nil {
		return nil, fmt.Errorf("job %s: its keeper does not answer: is it stopped? SIGCONT to it lets it go on: %w", j.ID, err)
	}
	if err != nil {
		return nil, fmt.Errorf("job %s: its keeper: %w", j.ID, err)
	}
	if len(a.Fault) > 0 {
		f, err := box.DecodeFault(a.Fault)
		if err == nil {
			err = f.Err(box.Origin{})
		}
		return nil, fmt.Errorf("job %s: %w", j.ID, err)
	}
	return a, nil
}

// Follow calls f at once, and whenever there may be something new, until the keeper of the job has ended or f returns an
// error. The error is ErrAway if there is no keeper, nil when it has ended.
func Follow(ctx context.Context, j *store.Job, f func() error) error {
	conn, err := dial(ctx, j)
	if err != nil {
		return err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })
	defer stop()
	if _, err := conn.Write([]byte("follow\n")); err != nil {
		return ErrAway
	}
	var news [64]byte
	for first := true; ; first = false {
		_, err := conn.Read(news[:])
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil && first {
			return ErrAway // it has just ended, or takes no more connections
		}
		if err != nil {
			return nil
		}
		if err := f(); err != nil {
			return err
		}
	}
}
