package main

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

var st *stage.Stage

func TestMain(m *testing.M) {
	playFloor(os.Args[1:])
	pool.Register()
	delivery.Main()
	st = stage.Enter(stage.Options{Keep: []string{cpusVar}})
	bulkSize, streamSize = 2<<20, 4<<20
	warmCalls, manyCalls, growCalls = 10, 64, 16
	commandsPerSample = 16
	os.Exit(m.Run())
}

// Every row works, or says which part of the machine is missing. How fast it is is no matter here.
func TestRows(t *testing.T) {
	r := newReport(pinAll())
	for _, row := range rows() {
		t.Run(row.id+" "+row.name, func(t *testing.T) {
			for _, feature := range row.needs {
				if ok, why := st.Has(feature); !ok {
					t.Skip(why)
				}
			}
			results := row.measure(st, 1)
			for _, res := range results {
				if res.Missing != "" {
					t.Fatal(res.Missing)
				}
				if res.Rounds != 1 || res.Ratio.Median <= 0 || res.Ours.Median <= 0 || res.Theirs.Median <= 0 {
					t.Errorf("%+v", res)
				}
			}
			r.add(results)
		})
	}
	var table, text bytes.Buffer
	if err := r.table(&table); err != nil {
		t.Fatal(err)
	}
	if lines := strings.Count(table.String(), "\n"); lines != len(r.Results)+3 { // two lines and the heading before them
		t.Errorf("%d lines for %d results:\n%s", lines, len(r.Results), table.String())
	}
	if err := r.json(&text); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal(text.Bytes(), &back); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(r, &back); d != "" {
		t.Errorf("(-want +got)\n%s", d)
	}
}

func TestMissingFeature(t *testing.T) {
	got := row{id: "R0", name: "nothing", needs: []string{"teleport"}}.measure(st, 1)
	if len(got) != 1 || !strings.Contains(got[0].Missing, "teleport") || got[0].Verdict != "" {
		t.Errorf("%+v", got)
	}
}

func TestFloorThatFails(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for name, f := range map[string]floor{
		"too few bytes":   {argv: []string{exe, source, "100"}, want: 101},
		"too many bytes":  {argv: []string{exe, yield, "100"}, want: 99, keep: true},
		"bytes not taken": {argv: []string{exe, hold, "100"}},
		"no program":      {argv: []string{"/nonexistent", noop}},
	} {
		if err := f.run(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestSummary(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		samples []float64
		want    summary
	}{
		{[]float64{3}, summary{3, 3, 3}},
		{[]float64{4, 1}, summary{1, 2.5, 4}},
		{[]float64{9, 1, 2}, summary{1, 2, 9}},
		{[]float64{8, 1, 3, 2}, summary{1, 2.5, 8}},
	} {
		if got := summarize(c.samples); got != c.want {
			t.Errorf("summarize(%v) = %v, want %v", c.samples, got, c.want)
		}
	}
}

// The ratio is taken within a turn: a machine that became slower in between does not show in it.
func TestRatioIsOfTheTurn(t *testing.T) {
	t.Parallel()
	turns := []turn{{2, []float64{1}}, {200, []float64{100}}, {20, []float64{10}}}
	got := row{}.result(rival{goal: goal{AtMost: 1.9}}, turns, 0)
	if *got.Ratio != (summary{2, 2, 2}) || got.Verdict != "missed" || got.Rounds != 3 {
		t.Errorf("%+v, ratio %v", got, *got.Ratio)
	}
}

func TestVerdict(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		goal  goal
		ratio float64
		want  string
		text  string
	}{
		{goal{}, 1, "", ""},
		{goal{AtMost: 1.25}, 1.25, "met", "≤ 1.25"},
		{goal{AtMost: 1.25}, 1.26, "missed", "≤ 1.25"},
		{goal{AtLeast: 0.5}, 0.5, "met", "≥ 0.50"},
		{goal{AtLeast: 0.5}, 0.49, "missed", "≥ 0.50"},
	} {
		if got := c.goal.verdict(c.ratio); got != c.want || c.goal.String() != c.text {
			t.Errorf("%+v of %v: %q, text %q", c.goal, c.ratio, got, c.goal)
		}
	}
}
