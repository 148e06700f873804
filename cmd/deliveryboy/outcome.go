package main

import (
	"encoding/json"
	"fmt"
	"reflect"
	"time"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/display"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
)

// outcome is what came of a call.
type outcome struct {
	job      string // if it was one
	function string
	via      string
	results  []reflect.Value
	err      error
	run      box.Run
}

// show writes an outcome in the form that was asked for. The error itself is reported elsewhere.
func (c *call) show(o outcome) error {
	if c.json {
		return writeJSON(c.out, o.document())
	}
	for _, r := range o.results {
		if err := c.showResult(r); err != nil {
			return &outputError{err}
		}
	}
	if c.verbose && o.run.PID != 0 {
		fmt.Fprintln(c.err, plain.Line(fmt.Sprintf("deliveryboy: %s ran as uid %d, gid %d, pid %d on %s, and took %s",
			o.function, o.run.UID, o.run.GID, o.run.PID, o.run.Host, o.run.Took)))
	}
	return nil
}

// showResult writes one result for people. Raw texts and bytes are written to the letter.
func (c *call) showResult(v reflect.Value) error {
	if c.raw {
		switch {
		case v.Kind() == reflect.String:
			_, err := c.out.WriteString(v.String())
			return err
		case v.Kind() == reflect.Slice && v.Type().Elem().Kind() == reflect.Uint8:
			_, err := c.out.Write(v.Bytes())
			return err
		}
	}
	return display.Value(c.out, v)
}

// document is an outcome for programs. Its field names do not change.
type document struct {
	Job      string    `json:"job,omitempty"` // if it was one
	Function string    `json:"function"`
	Via      string    `json:"via"`
	Results  []any     `json:"results"`
	Error    *problem  `json:"error"`
	Run      *runFacts `json:"run"` // null if the function did not run, or nobody knows
}

// runFacts say who ran a function.
type runFacts struct {
	Host  string    `json:"host"`
	PID   int       `json:"pid"`
	UID   int       `json:"uid"`
	GID   int       `json:"gid"`
	Start time.Time `json:"start"`
	Nanos int64     `json:"took_ns"`
}

// problem is an error for programs.
type problem struct {
	Kind       string `json:"kind"` // "delivery", or how the function ended: returned, panicked, exited, killed …
	Type       string `json:"type"` // the Go type of the function's error, or of the delivery's cause
	Message    string `json:"message"`
	ExitStatus int    `json:"exit_status"` // of this command
	Stack      string `json:"stack,omitempty"`
	Op         string `json:"op,omitempty"`   // of a delivery: what was being done
	Hop        string `json:"hop,omitempty"`  // of a delivery: the hop that failed
	Fate       string `json:"fate,omitempty"` // of a delivery: how far the function came
}

func (o outcome) document() document {
	d := document{Job: o.job, Function: o.function, Via: o.via, Results: []any{}}
	for _, r := range o.results {
		d.Results = append(d.Results, r.Interface())
	}
	if o.err != nil {
		d.Error = problemOf(o.err)
	}
	if o.run.PID != 0 {
		d.Run = &runFacts{o.run.Host, o.run.PID, o.run.UID, o.run.GID, o.run.Start, o.run.Took.Nanoseconds()}
	}
	return d
}

func problemOf(err error) *problem {
	p := &problem{Kind: "delivery", Type: fmt.Sprintf("%T", err), Message: err.Error(), ExitStatus: exitStatus(err)}
	if remote := remoteOf(err); remote != nil {
		p.Kind, p.Type, p.Stack = remote.Kind.String(), remote.Type, remote.Stack
		return p
	}
	if d := deliveryOf(err); d != nil {
		p.Op, p.Hop, p.Fate = d.Op, d.Hop, d.Fate.String()
		if d.Err != nil {
			p.Type = fmt.Sprintf("%T", d.Err)
		}
	}
	return p
}

// A noFormError is a result that JSON has no form for.
type noFormError struct{ err error }

func (e *noFormError) Error() string {
	return "the result has no JSON form: " + e.err.Error() + "; leave --json out"
}
func (e *noFormError) Unwrap() error { return e.err }

// writeJSON writes one document.
func writeJSON(w interface{ Write([]byte) (int, error) }, v any) error {
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return &noFormError{err}
	}
	if _, err := w.Write(append(text, '\n')); err != nil {
		return &outputError{err}
	}
	return nil
}
