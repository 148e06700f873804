package process_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seed354a1416/deliveryboy/process"
)

// times is when something was started, in seconds since the first start.
type times struct {
	zero   time.Time
	starts []float64
}

func (s *times) now() {
	if s.zero.IsZero() {
		s.zero = time.Now()
	}
	s.starts = append(s.starts, time.Since(s.zero).Seconds())
}

func TestGA40Flapping(t *testing.T) {
	for _, c := range []struct {
		name    string
		restart process.Restart
		lasts   time.Duration
		want    []float64
	}{
		{"ends at once", process.Restart{}, 0, []float64{0, 0, 7, 7, 14, 14, 21, 21, 28, 28, 35, 35}},
		{"ends after 0.4 s", process.Restart{}, 400 * time.Millisecond, []float64{0, .4, 7.8, 8.2, 15.6, 16, 23.4, 23.8, 31.2, 31.6, 39, 39.4}},
		{"other numbers", process.Restart{Attempts: 3, Window: 5 * time.Second, Wait: time.Minute, Retries: 1}, time.Second,
			[]float64{0, 1, 2, 63, 64, 65}},
		{"no waits", process.Restart{Retries: -1}, 0, []float64{0, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var seen times
				err := c.restart.Keep(t.Context(), func(context.Context) (process.State, error) {
					seen.now()
					time.Sleep(c.lasts)
					return process.State{Code: 3}, nil
				})
				var flaps *process.FlappingError
				if !errors.As(err, &flaps) || flaps.State.Code != 3 || !strings.Contains(err.Error(), "exit status 3") {
					t.Errorf("%v", err)
				}
				if got := fmt.Sprintf("%.1f", seen.starts); got != fmt.Sprintf("%.1f", c.want) {
					t.Errorf("started at %s, not %.1f", got, c.want)
				}
			})
		})
	}
}

// Who runs long enough is started again for ever, and the waits are counted anew.
func TestGA40RunsWell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		var seen times
		var waits []time.Duration
		r := process.Restart{Told: func(_ process.State, _ error, next time.Duration) { waits = append(waits, next) }}
		err := r.Keep(ctx, func(context.Context) (process.State, error) {
			if seen.now(); len(seen.starts) == 50 {
				cancel()
			}
			if len(seen.starts)%5 != 0 { // four of five times it flaps
				return process.State{}, errors.New("no start")
			}
			time.Sleep(2 * time.Second)
			return process.State{}, nil
		})
		if !errors.Is(err, context.Canceled) || len(seen.starts) != 50 {
			t.Errorf("%v after %d starts", err, len(seen.starts))
		}
		if !slices.Contains(waits, 7*time.Second) || !slices.Contains(waits, 0) {
			t.Errorf("%v", waits)
		}
	})
}

// What is kept of the ends has a limit, however many may come.
func TestKeepForgetsEnds(t *testing.T) {
	const often, most = 100_000, 512 << 10 // to keep each end takes more than twice as much
	for name, c := range map[string]struct {
		restart process.Restart
		lasts   time.Duration
	}{
		"never too often": {process.Restart{Attempts: math.MaxInt, Window: time.Hour}, time.Millisecond},
		"at once":         {process.Restart{Attempts: math.MaxInt, Window: time.Hour}, 0},
		"far apart":       {process.Restart{Attempts: 3}, 900 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				defer cancel()
				n, before := 0, heap()
				err := c.restart.Keep(ctx, func(context.Context) (process.State, error) {
					time.Sleep(c.lasts)
					if n++; n == often {
						if grown := heap() - before; grown > most {
							t.Errorf("%d bytes are kept of %d ends", grown, n)
						}
						cancel()
					}
					return process.State{}, nil
				})
				if !errors.Is(err, context.Canceled) {
					t.Errorf("%v after %d ends", err, n)
				}
			})
		})
	}
}

// Many that come at once still count one by one.
func TestKeepCountsEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const attempts = 5000
		n := 0
		err := process.Restart{Attempts: attempts, Window: time.Minute, Retries: -1}.Keep(t.Context(), func(context.Context) (process.State, error) {
			n++
			time.Sleep(time.Millisecond)
			return process.State{}, nil
		})
		if flaps := new(process.FlappingError); !errors.As(err, &flaps) || n != attempts {
			t.Errorf("%v after %d ends", err, n)
		}
	})
}

// heap is how many bytes are in use.
func heap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestGA40OnFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := 0
		r := process.Restart{OnFailure: true}
		err := r.Keep(t.Context(), func(context.Context) (process.State, error) {
			time.Sleep(2 * time.Second)
			n++
			return process.State{Code: 3 - n}, nil
		})
		if err != nil || n != 3 {
			t.Errorf("%v after %d", err, n)
		}
	})
}

func TestGA40TheWaitEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		begin := time.Now()
		err := process.Restart{}.Keep(ctx, func(context.Context) (process.State, error) { return process.State{}, nil })
		if took := time.Since(begin); !errors.Is(err, context.DeadlineExceeded) || took != 3*time.Second {
			t.Errorf("%v after %s", err, took)
		}
	})
}

// The same with real processes.
func TestGA40Keep(t *testing.T) {
	starts := 0
	r := process.Restart{Attempts: 3, Window: time.Minute, Retries: -1}
	err := process.Host{}.Keep(t.Context(), process.Config{Cmdline: "false"}, r, func(p *process.Process) { starts++ })
	var flaps *process.FlappingError
	if !errors.As(err, &flaps) || starts != 3 || flaps.State.Code != 1 {
		t.Errorf("%v after %d starts", err, starts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err = process.Host{}.Keep(ctx, process.Config{Cmdline: "sleep 1000"}, r, func(p *process.Process) {
		p.Subscribe(process.TopicStart, func(process.Event) { cancel() })
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
