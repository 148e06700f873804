package main

import (
	"slices"
	"strings"
)

// nearest returns at most n of known that word may be a slip of, the likeliest first.
func nearest(word string, known []string, n int) []string {
	type candidate struct {
		name     string
		distance int
	}
	var near []candidate
	for _, name := range known {
		d := distance(word, name)
		if strings.HasPrefix(name, word) && word != "" {
			d = 0
		}
		if d <= max(len(word)/3, 1) {
			near = append(near, candidate{name, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return a.distance - b.distance })
	var names []string
	for _, c := range near[:min(n, len(near))] {
		names = append(names, c.name)
	}
	return names
}

// distance is how many bytes have to be put in, left out or changed to make b of a.
func distance(a, b string) int {
	const tooLong = 128 // no name is so long
	if len(a) > tooLong || len(b) > tooLong {
		return tooLong
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
