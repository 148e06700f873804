package racewatch

import "testing"

func TestWatch(t *testing.T) {
	for _, c := range []struct {
		said []string
		own  int
		want int
	}{
		{nil, 0, 0},
		{[]string{"WARNING: DATA", " of another kind, not in a RACE\n"}, 0, 0},
		{[]string{"WARNING: DATA RACE\n"}, 0, 1},
		{[]string{"WARNING: DA", "TA RA", "CE\n", "more\n"}, 0, 1},
		{[]string{"DATA RACE"}, 3, 3},
	} {
		var w Watch
		for _, s := range c.said {
			if n, err := w.Write([]byte(s)); n != len(s) || err != nil {
				t.Fatal(n, err)
			}
		}
		if got := w.Code(c.own); got != c.want {
			t.Errorf("%q: code %d, want %d", c.said, got, c.want)
		}
	}
}
