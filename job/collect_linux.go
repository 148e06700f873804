package job

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"time"

	"github.com/seed354a1416/deliveryboy/job/store"
)

// A finished is a job that may be taken away.
type finished struct {
	id   string
	over time.Time
	size int64
}

func collectHere(ctx context.Context, l Limits) (Collected, error) {
	s, err := store.Open()
	if err != nil {
		return Collected{}, err
	}
	defer s.Close()
	var done Collected
	var stay []finished
	now := time.Now()
	err = s.Jobs(func(j *store.Job, err error) bool {
		if err != nil {
			return ctx.Err() == nil // List shows what is wrong
		}
		defer j.Close()
		done.Left++
		f := finished{id: j.ID, size: j.Size()}
		st, err := j.Status()
		switch {
		case err == nil && (st.Phase == store.Ended || st.Phase == store.Lost):
			f.over = over(st)
		case errors.Is(err, store.ErrDamaged) && !j.Kept():
			f.over = j.Changed()
		default:
			return ctx.Err() == nil
		}
		if err == nil && st.Expired(now) || l.Age > 0 && now.Sub(f.over) > l.Age {
			done.remove(s, f)
		} else {
			stay = append(stay, f)
		}
		return ctx.Err() == nil
	})
	if err != nil {
		return done, err
	}
	done.shrink(s, stay, l)
	return done, context.Cause(ctx)
}

// shrink takes the oldest away until those that stay are within the limits.
func (c *Collected) shrink(s *store.Store, stay []finished, l Limits) {
	slices.SortFunc(stay, func(a, b finished) int { return cmp.Or(a.over.Compare(b.over), cmp.Compare(a.id, b.id)) })
	var total int64
	for _, f := range stay {
		total += f.size
	}
	for count := len(stay); count > 0; count-- {
		f := stay[len(stay)-count]
		if (l.Count <= 0 || count <= l.Count) && (l.Size <= 0 || total <= l.Size) {
			return
		}
		c.remove(s, f)
		total -= f.size
	}
}

func (c *Collected) remove(s *store.Store, f finished) {
	j, err := s.Find(f.id)
	if err != nil {
		return // somebody else did
	}
	defer j.Close()
	if j.Remove() == nil {
		c.Jobs, c.Size, c.Left = c.Jobs+1, c.Size+f.size, c.Left-1
	}
}
