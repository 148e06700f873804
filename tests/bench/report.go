package main

import (
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"text/tabwriter"
)

// A report is all that was measured, and where.
type report struct {
	Go      string   `json:"go"`
	System  string   `json:"system"`
	CPUs    int      `json:"cpus"`
	Pinned  string   `json:"pinned"` // what the rows about latency ran on
	Results []result `json:"results"`
}

func newReport(pinned string) *report {
	return &report{
		Go: runtime.Version(), System: runtime.GOOS + "/" + runtime.GOARCH, CPUs: runtime.NumCPU(), Pinned: pinned,
	}
}

func (r *report) add(results []result) { r.Results = append(r.Results, results...) }

// json writes the report for programs.
func (r *report) json(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// table writes the report for people.
func (r *report) table(out io.Writer) error {
	fmt.Fprintf(out, "%s %s, latency on %s; min / median / max\n\n", r.Go, r.System, r.Pinned)
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "row\twhat\tagainst\tn\tours\ttheirs\t\tratio\tgoal\t")
	for _, res := range r.Results {
		if res.Missing != "" {
			fmt.Fprintf(w, "%s\t%s\tnot measured: %.200q\n", res.ID, res.Name, res.Missing)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", res.ID, res.Name, res.Rival, res.Rounds,
			res.Ours.text(res.Unit.format()), res.Theirs.text(res.Unit.format()), res.Unit, res.Ratio.text("%.2f"),
			res.Goal, res.Verdict)
	}
	return w.Flush()
}

func (s *summary) text(format string) string {
	return fmt.Sprintf(format+" / "+format+" / "+format, s.Min, s.Median, s.Max)
}

// format shows three digits or more of the values that the unit has here.
func (u unit) format() string {
	if u == milliseconds || u == microseconds {
		return "%.2f"
	}
	return "%.0f"
}

func (g goal) String() string {
	switch {
	case g.AtMost > 0:
		return fmt.Sprintf("≤ %.2f", g.AtMost)
	case g.AtLeast > 0:
		return fmt.Sprintf("≥ %.2f", g.AtLeast)
	}
	return ""
}
