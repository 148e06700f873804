package manual

import "strings"

// roff writes the man macros.
type roff struct{ strings.Builder }

// macro writes a request with its arguments.
func (r *roff) macro(name string, args ...string) {
	r.WriteString("." + name)
	for _, arg := range args {
		r.WriteString(` "` + strings.ReplaceAll(escape(arg), `"`, `\(dq`) + `"`)
	}
	r.WriteString("\n")
}

// text writes running text, which roff fills.
func (r *roff) text(s string) {
	for line := range strings.Lines(s) {
		r.WriteString(line1(strings.TrimSuffix(line, "\n")) + "\n")
	}
}

// paragraphs writes text with empty lines between its paragraphs.
func (r *roff) paragraphs(s string) {
	for i, p := range strings.Split(strings.TrimSpace(s), "\n\n") {
		if i > 0 {
			r.macro("PP")
		}
		if strings.HasPrefix(p, "  ") || strings.Contains(p, "\n\t") || strings.HasPrefix(p, "\t") {
			r.literal(p) // such as the commands in the text about completion
			continue
		}
		r.text(p)
	}
}

// literal writes text whose line breaks and blanks stay.
func (r *roff) literal(s string) {
	r.macro("PP")
	r.macro("nf")
	r.text(strings.TrimRight(s, "\n"))
	r.macro("fi")
}

// term writes a term and what it means.
func (r *roff) term(term, meaning string) {
	r.macro("TP")
	r.WriteString(`\fB` + line1(term) + "\\fR\n")
	r.text(meaning)
}

// line1 is a line that roff takes for text: a dot or quote at its beginning would make it a request.
func line1(s string) string {
	s = escape(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") || strings.HasPrefix(s, `\(aq`) {
		s = `\&` + s
	}
	return s
}

var escaper = strings.NewReplacer(
	`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`, "…", `\&...`, "\t", "    ",
)

func escape(s string) string { return escaper.Replace(s) }
