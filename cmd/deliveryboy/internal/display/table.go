package display

import (
	"strings"
	"unicode/utf8"

	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
)

// gap is between two columns.
const gap = "  "

// Table is rows below a head in capitals, its columns aligned, without colours or lines. Cells are shown in one line.
func Table(head []string, rows [][]string) string {
	upper := make([]string, len(head))
	for i, h := range head {
		upper[i] = strings.ToUpper(h)
	}
	return columns(append([][]string{upper}, rows...))
}

// Pairs is a list of names and values, aligned.
func Pairs(pairs [][]string) string { return columns(pairs) }

func columns(rows [][]string) string {
	var widths []int
	for r, row := range rows {
		rows[r] = make([]string, len(row))
		for i, c := range row {
			rows[r][i] = plain.Line(c)
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(rows[r][i]))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, c := range row {
			if i > 0 {
				line.WriteString(gap)
			}
			line.WriteString(c)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", widths[i]-utf8.RuneCountInString(c)))
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(s) {
		b.WriteString(gap + line)
	}
	return b.String()
}
