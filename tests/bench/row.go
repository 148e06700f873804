package main

import (
	"fmt"
	"runtime"
	"time"

	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// A row is one thing that the library does, and what it is measured against.
type row struct {
	id     string // of the table of goals, such as "R1"; rows without a goal there have a word
	name   string
	unit   unit
	rounds int      // turns that count, unless the command line says otherwise
	spread bool     // use all CPUs: the row is about throughput
	needs  []string // features of the stage
	set    func(*stage.Stage) (*race, error)
}

// A race is a row that is ready to run.
type race struct {
	ours   sample
	rivals []rival
	done   func() // takes back what set did; may be nil
}

// A rival is a floor or a peer.
type rival struct {
	name string
	goal goal
	run  sample
}

// A sample runs once and says how well it went, in the row's unit.
type sample func() (float64, error)

// unit is what a row counts.
type unit string

// The units in use.
const (
	milliseconds unit = "ms"      // less is better
	microseconds unit = "µs"      // less is better
	kibibytes    unit = "KiB"     // less is better
	mebibytes    unit = "MiB/s"   // more is better
	perSecond    unit = "calls/s" // more is better
)

// took is the sample of how long f takes.
func took(f func() error) sample {
	return func() (float64, error) {
		start := time.Now()
		err := f()
		return time.Since(start).Seconds() * 1000, err
	}
}

// speed is the sample of how fast f moves n bytes.
func speed(n int, f func() error) sample {
	return func() (float64, error) {
		start := time.Now()
		err := f()
		return float64(n) / (1 << 20) / time.Since(start).Seconds(), err
	}
}

// measure runs the row. What goes wrong is in the results: a benchmark does not fail.
func (r row) measure(st *stage.Stage, rounds int) []result {
	if rounds == 0 {
		rounds = r.rounds
	}
	for _, feature := range r.needs {
		if ok, why := st.Has(feature); !ok {
			return []result{r.missing(feature + ": " + why)}
		}
	}
	if r.spread {
		defer spreadOut()()
	}
	run, err := r.set(st)
	if err != nil {
		return []result{r.missing(err.Error())}
	}
	if run.done != nil {
		defer run.done()
	}
	turns, err := run.take(rounds)
	if err != nil {
		return []result{r.missing(err.Error())}
	}
	results := make([]result, len(run.rivals))
	for i, v := range run.rivals {
		results[i] = r.result(v, turns, i)
	}
	return results
}

// A turn is one sample of everybody.
type turn struct {
	ours   float64
	rivals []float64
}

// take runs everybody in turn, and again: a disturbance that lasts hits all of them. The first turns warm up and do not
// count.
func (r *race) take(rounds int) ([]turn, error) {
	turns := make([]turn, 0, rounds)
	for n := -warmUp(rounds); n < rounds; n++ {
		t := turn{rivals: make([]float64, len(r.rivals))}
		var err error
		for i, v := range r.rivals {
			if t.rivals[i], err = clean(v.run); err != nil {
				return nil, fmt.Errorf("%s: %w", v.name, err)
			}
		}
		if t.ours, err = clean(r.ours); err != nil {
			return nil, err
		}
		if n >= 0 {
			turns = append(turns, t)
		}
	}
	return turns, nil
}

// warmUp is how many turns go before those that count.
func warmUp(rounds int) int { return min(1+rounds/10, 10) }

// clean takes a sample without the garbage of the one before it.
func clean(s sample) (float64, error) {
	runtime.GC()
	return s()
}
