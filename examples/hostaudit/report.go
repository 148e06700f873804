package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// writeText writes the report for people: who ran where, what was found there, and how the places compare.
func writeText(w io.Writer, visits []*visit) error {
	var b bytes.Buffer
	writePlaces(&b, visits)
	for i, v := range visits {
		if v.Skipped == "" && v.Error == "" {
			writeVisit(&b, v, visits[:i])
		}
	}
	if len(visits) > 1 {
		writeComparison(&b, visits)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// table aligns columns; a row is cells joined by tabs.
func table(w io.Writer, rows [][]string) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		fmt.Fprintln(t, strings.TrimRight(strings.Join(row, "\t"), "\t "))
	}
	_ = t.Flush() // w is a buffer, which takes everything
}

func writePlaces(w io.Writer, visits []*visit) {
	rows := [][]string{{"TARGET", "USER", "UID", "HOST", "WORKER START", "CALL", "ALL AUDITS", "VIA"}}
	for _, v := range visits {
		switch {
		case v.Skipped != "" || v.Error != "":
			rows = append(rows, []string{v.Target, "-", "-", "-", "-", "-", "-", v.Via})
		default:
			rows = append(rows, []string{v.Target, v.User, strconv.Itoa(v.UID), v.Host,
				ms(v.WorkerStart), ms(v.CallTime), ms(v.AuditTime), v.Via})
		}
	}
	table(w, rows)
	for _, v := range visits {
		switch {
		case v.Skipped != "":
			fmt.Fprintf(w, "%s: skipped: %s\n", v.Target, v.Skipped)
		case v.Error != "":
			fmt.Fprintf(w, "%s: FAILED: %s\n", v.Target, v.Error)
		case v.Failed:
			fmt.Fprintf(w, "%s: FAILED: an audit that must work there did not, see below\n", v.Target)
		}
	}
	fmt.Fprintln(w, "Worker start is a call without its function. "+
		"The first call over ssh opens the connection that the later ones share.")
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }

// writeVisit writes the table of one target, or that it saw just what an earlier one did.
func writeVisit(w io.Writer, v *visit, earlier []*visit) {
	findings := v.findings()
	fmt.Fprintf(w, "\n== %s: %d findings", v.Target, len(findings))
	for _, e := range earlier {
		if e.Audits != nil && e.saw() == v.saw() {
			fmt.Fprintf(w, ", the same as %s\n", e.Target)
			return
		}
	}
	fmt.Fprintln(w)
	rows := [][]string{}
	for _, o := range v.Audits {
		rows = append(rows, []string{o.Name, ms(o.Took), o.verdict()})
	}
	table(w, rows)
	if len(findings) == 0 {
		return
	}
	rows = [][]string{{"SEVERITY", "AUDIT", "SUBJECT", "FINDING"}}
	for _, f := range findings {
		text := f.Text
		if f.Advice != "" {
			text += " → " + f.Advice
		}
		rows = append(rows, []string{string(f.Severity), f.audit, f.Subject, text})
	}
	table(w, rows)
}

// verdict is one audit in a few words.
func (o outcome) verdict() string {
	switch {
	case o.Denied:
		return "DENIED: " + o.Error
	case o.Error != "":
		return "ERROR: " + o.Error
	}
	return o.Summary
}

type auditFinding struct {
	audit string
	Finding
}

// findings are those of all audits, worst first.
func (v *visit) findings() []auditFinding {
	var all []auditFinding
	for _, o := range v.Audits {
		for _, f := range o.Findings {
			all = append(all, auditFinding{o.Name, f})
		}
	}
	slices.SortStableFunc(all, func(a, b auditFinding) int { return rank(a.Severity) - rank(b.Severity) })
	return all
}

// saw is what the target found and what it was denied, as one text to compare. The summaries are left out: sockets and
// processes come and go between two visits.
func (v *visit) saw() string {
	var b strings.Builder
	for _, o := range v.Audits {
		b.WriteString(o.saw())
	}
	return b.String()
}

func (o outcome) saw() string { return fmt.Sprintf("%s: %s %q\n", o.Name, o.Error, o.Findings) }

// writeComparison counts the findings of each audit on each target.
func writeComparison(w io.Writer, visits []*visit) {
	fmt.Fprintln(w, "\n== comparison: findings per target")
	head := []string{"AUDIT"}
	for _, v := range visits {
		head = append(head, v.Target)
	}
	rows := [][]string{head}
	for i, a := range audits {
		row := []string{a.name}
		for _, v := range visits {
			row = append(row, v.cell(i))
		}
		rows = append(rows, row)
	}
	table(w, rows)
	compareRoots(w, visits)
}

func (v *visit) cell(i int) string {
	switch {
	case i >= len(v.Audits):
		return "-"
	case v.Audits[i].Denied:
		return "denied"
	case v.Audits[i].Error != "":
		return "error"
	}
	return strconv.Itoa(len(v.Audits[i].Findings))
}

// compareRoots says whether root saw the same by both ways.
func compareRoots(w io.Writer, visits []*visit) {
	var local, remote *visit
	for _, v := range visits {
		switch {
		case v.Audits == nil:
		case v.Target == "sudo":
			local = v
		case v.Target == "ssh+sudo":
			remote = v
		}
	}
	if local == nil || remote == nil {
		return
	}
	if local.saw() == remote.saw() {
		fmt.Fprintf(w, "sudo and ssh+sudo saw the same: %d findings\n", len(local.findings()))
		return
	}
	for i, o := range local.Audits {
		if other := remote.Audits[i]; o.saw() != other.saw() {
			fmt.Fprintf(w, "sudo and ssh+sudo differ in %s: %s findings | %s findings\n", o.Name, local.cell(i), remote.cell(i))
		}
	}
}
