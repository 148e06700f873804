package job

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/seed354a1416/deliveryboy/job/keeper"
	"github.com/seed354a1416/deliveryboy/job/spool"
	"github.com/seed354a1416/deliveryboy/job/store"
)

// lookAgain is how often somebody looks at a job that nobody keeps, and who therefore cannot push: it waits for its turn.
const lookAgain = 100 * time.Millisecond

// find opens a job of this user; release it with the function.
func find(id string) (*store.Store, *store.Job, func(), error) {
	s, err := store.Open()
	if err != nil {
		return nil, nil, nil, err
	}
	j, err := s.Find(id)
	if err != nil {
		s.Close()
		return nil, nil, nil, err
	}
	return s, j, func() { j.Close(); s.Close() }, nil
}

func statusHere(_ context.Context, id string) (Info, error) {
	s, j, release, err := find(id)
	if err != nil {
		return Info{}, err
	}
	defer release()
	st, err := j.Status()
	if err != nil {
		return Info{}, err
	}
	if st.Queue != "" && st.Phase == store.Waiting {
		_ = kick(s, &st.Record) // whoever should work there may be gone; it waits on in any case
	}
	return infoOf(st), nil
}

func waitHere(ctx context.Context, id string) (ended, error) {
	s, j, release, err := find(id)
	if err != nil {
		return ended{}, err
	}
	defer release()
	st, err := watch(ctx, s, j, func() error { return nil })
	if err != nil {
		return ended{}, err
	}
	e := ended{Info: infoOf(st)}
	if st.Result != nil {
		e.Fault = st.Result.Fault
		_, e.Reply, err = j.Result()
	}
	return e, err
}

// watch calls look whenever there may be something new, until the job has ended or is lost, and once after that.
func watch(ctx context.Context, s *store.Store, j *store.Job, look func() error) (*store.Status, error) {
	for {
		st, err := j.Status()
		if err != nil {
			return nil, err
		}
		if st.Phase == store.Ended || st.Phase == store.Lost {
			return st, look()
		}
		if st.Queue != "" && st.Phase == store.Waiting { // whoever should work there may be gone
			if err := kick(s, &st.Record); err != nil {
				return nil, err
			}
		}
		err = keeper.Follow(ctx, j, look)
		if errors.Is(err, keeper.ErrAway) {
			select {
			case <-time.After(lookAgain):
				err = nil
			case <-ctx.Done():
				err = context.Cause(ctx)
			}
		}
		if err != nil {
			return nil, err
		}
	}
}

func followHere(ctx context.Context, id string, from spool.Offset, follow bool, to chan<- spool.Piece) error {
	s, j, release, err := find(id)
	if err != nil {
		return err
	}
	defer release()
	r := spool.NewReader(j.Dir, from)
	defer r.Close()
	look := func() error { return pour(ctx, r, to) }
	if !follow {
		return look()
	}
	st, err := watch(ctx, s, j, look)
	if err == nil && st.Result != nil && r.At().Pos < st.Result.Output.Pos {
		err = fmt.Errorf("job %s: %w: its output ends at %d, not at %d", id, store.ErrDamaged, r.At().Pos, st.Result.Output.Pos)
	}
	return err
}

// pour passes on what there is.
func pour(ctx context.Context, r *spool.Reader, to chan<- spool.Piece) error {
	for {
		p, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		select {
		case to <- p:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func orderHere(ctx context.Context, id, what string) (answer, error) {
	s, j, release, err := find(id)
	if err != nil {
		return answer{}, err
	}
	defer release()
	a, err := keeper.Ask(ctx, j, what)
	if errors.Is(err, keeper.ErrAway) {
		return away(s, j, what)
	}
	if err != nil {
		return answer{}, err
	}
	got := answer{Dump: a.Dump}
	if a.Stats != nil {
		got.Stats = Stats(*a.Stats)
	}
	return got, nil
}

// away carries out an order for a job that nobody keeps: of one that waits, cancelling takes its place in the queue.
func away(s *store.Store, j *store.Job, what string) (answer, error) {
	st, err := j.Status()
	if err != nil {
		return answer{}, err
	}
	if what == "stats" {
		return answer{}, nil
	}
	if what != "cancel" || st.Phase != store.Waiting || st.Queue == "" {
		return answer{}, fmt.Errorf("job %s: %w: it is %s", j.ID, ErrNotRunning, st.Phase)
	}
	claimed, err := j.Claim()
	if err != nil {
		return answer{}, err
	}
	if !claimed {
		return answer{}, fmt.Errorf("job %s: %w: it begins just now: try again", j.ID, ErrNotRunning)
	}
	if err := keeper.Drop(j); err != nil {
		return answer{}, err // it keeps its place
	}
	s.Dequeue(&st.Record)
	if st.Forget {
		return answer{}, j.Remove()
	}
	return answer{}, nil
}

func listHere(ctx context.Context) ([]Info, error) {
	s, err := store.Open()
	if err != nil {
		return nil, err
	}
	defer s.Close()
	var list []Info
	err = s.Jobs(func(j *store.Job, err error) bool {
		var st *store.Status
		if err == nil {
			st, err = j.Status()
			j.Close()
		}
		switch {
		case err == nil && !st.Expired(time.Now()):
			list = append(list, infoOf(st))
		case err == nil || errors.Is(err, store.ErrNotFound):
		default:
			list = append(list, Info{ID: idIn(err), Phase: Damaged, Error: err.Error()})
		}
		return ctx.Err() == nil
	})
	return list, err
}

// idIn is the identifier in the error about a job.
func idIn(err error) string {
	text, ok := strings.CutPrefix(err.Error(), "job ")
	if id, _, found := strings.Cut(text, ":"); ok && found && store.CheckID(id) == nil {
		return id
	}
	return ""
}

func freeHere(ctx context.Context, id string, force bool) error {
	s, j, release, err := find(id)
	if err != nil {
		return err
	}
	defer release()
	st, err := j.Status()
	if err != nil {
		if errors.Is(err, store.ErrDamaged) && force {
			return j.Remove()
		}
		return err
	}
	switch {
	case st.Phase == store.Ended || st.Phase == store.Lost:
		return j.Remove()
	case !force:
		return fmt.Errorf("job %s: %w", id, ErrNotEnded)
	}
	if err := j.Forget(); err != nil {
		return err
	}
	// If it has ended meanwhile, whoever kept it did not see that.
	if st, err = j.Status(); err == nil && (st.Phase == store.Ended || st.Phase == store.Lost) {
		err = j.Remove()
	} else if err == nil && st.Phase == store.Waiting && st.Queue != "" {
		if claimed, failed := j.Claim(); failed == nil && claimed {
			if err = j.Remove(); err == nil {
				s.Dequeue(&st.Record)
			}
		}
	}
	if errors.Is(err, store.ErrNotFound) || ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}
