package main

import "slices"

// A goal is how the median of the ratios, ours to the rival's, is meant to be. The zero goal is none.
type goal struct {
	AtMost  float64 `json:"at_most,omitempty"`
	AtLeast float64 `json:"at_least,omitempty"`
}

// verdict says whether a ratio meets the goal; "" if there is none.
func (g goal) verdict(ratio float64) string {
	switch {
	case g == goal{}:
		return ""
	case g.AtMost > 0 && ratio > g.AtMost, ratio < g.AtLeast:
		return "missed"
	}
	return "met"
}

// A summary is what is left of many samples.
type summary struct {
	Min    float64 `json:"min"`
	Median float64 `json:"median"`
	Max    float64 `json:"max"`
}

// summarize needs at least one sample. Of an even number it takes the mean of the middle two as the median.
func summarize(samples []float64) summary {
	s := slices.Sorted(slices.Values(samples))
	n := len(s)
	return summary{Min: s[0], Median: (s[(n-1)/2] + s[n/2]) / 2, Max: s[n-1]}
}

// A result is one row against one rival.
type result struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Unit    unit     `json:"unit"`
	Missing string   `json:"missing,omitempty"` // why there are no numbers
	Rival   string   `json:"rival,omitempty"`
	Rounds  int      `json:"rounds,omitempty"`
	Ours    *summary `json:"ours,omitempty"`
	Theirs  *summary `json:"theirs,omitempty"`
	Ratio   *summary `json:"ratio,omitempty"` // of ours to theirs, in the same turn
	Goal    goal     `json:"goal,omitzero"`
	Verdict string   `json:"verdict,omitempty"` // of the median ratio
}

func (r row) missing(why string) result {
	return result{ID: r.id, Name: r.name, Unit: r.unit, Missing: why}
}

// result sums up what the turns say about the rival with the given index.
func (r row) result(v rival, turns []turn, index int) result {
	var ours, theirs, ratios []float64
	for _, t := range turns {
		ours, theirs = append(ours, t.ours), append(theirs, t.rivals[index])
		ratios = append(ratios, t.ours/t.rivals[index])
	}
	ratio := summarize(ratios)
	return result{
		ID: r.id, Name: r.name, Unit: r.unit, Rival: v.name, Rounds: len(turns),
		Ours: new(summarize(ours)), Theirs: new(summarize(theirs)), Ratio: &ratio,
		Goal: v.goal, Verdict: v.goal.verdict(ratio.Median),
	}
}
