// Package spelling finds what a misspelt word may have meant.
package spelling

import (
	"cmp"
	"slices"
	"strings"
)

// longest is the length up to which words are compared; the work grows with the product of their lengths.
const longest = 128

// Near returns at most n of the known words that word may be a slip of, the likeliest first. The beginning and the last
// part of a dotted word count as near, too.
func Near(word string, known []string, n int) []string {
	if word == "" || len(word) > longest {
		return nil
	}
	type candidate struct {
		word     string
		distance int
	}
	var near []candidate
	for _, k := range known {
		d := distance(word, k)
		if strings.HasPrefix(k, word) || strings.HasSuffix(k, "."+word) {
			d = 0
		}
		if d <= max(len(word)/3, 1) {
			near = append(near, candidate{k, d})
		}
	}
	slices.SortStableFunc(near, func(a, b candidate) int { return cmp.Compare(a.distance, b.distance) })
	var words []string
	for _, c := range near[:min(n, len(near))] {
		words = append(words, c.word)
	}
	return words
}

// distance is how many bytes have to be put in, left out or changed to make b of a.
func distance(a, b string) int {
	if len(b) > longest {
		return longest
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
