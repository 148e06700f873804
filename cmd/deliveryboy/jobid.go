package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/cmd/deliveryboy/internal/plain"
	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/job"
	"github.com/seed354a1416/deliveryboy/job/store"
)

const (
	lastJob      = "last" // the word for the newest job
	leastID      = 4      // characters of the beginning of an identifier
	fullID       = 26
	idCharacters = "0123456789abcdefghjkmnpqrstvwxyz"
	maxNamed     = 8 // candidates that an error names

	completeTime = 2 * time.Second         // how long a shell waits for identifiers
	askTime      = 1500 * time.Millisecond // of it, so that what was started for that can be ended
)

// jobID checks a word that is to name a job, and returns it in small letters.
func jobID(word string) (string, error) {
	id := strings.ToLower(word)
	bad := func(why string) (string, error) {
		return "", &usageError{what: "job", value: quote(word), why: why}
	}
	switch {
	case id == lastJob:
	case len(id) == fullID:
		if store.CheckID(id) != nil {
			return bad("it is no identifier of a job; deliveryboy jobs lists them")
		}
	case len(id) > fullID || strings.Trim(id, idCharacters) != "":
		return bad(fmt.Sprintf("it is no identifier of a job: those have %d letters and digits; deliveryboy jobs lists them", fullID))
	case len(id) < leastID:
		return bad(fmt.Sprintf("too short: give at least the first %d characters of an identifier, or %s", leastID, lastJob))
	}
	return id, nil
}

// oneJob wants one job, and after it what say describes.
func oneJob(say ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := exactly(1+len(say), strings.Join(append([]string{"job"}, say...), " and "))(cmd, args); err != nil {
			return err
		}
		_, err := jobID(args[0])
		return err
	}
}

// A stateError is a job that is not there, or not as far as a command needs.
type stateError struct {
	id  string // as it was given
	why string
	err error
}

func (e *stateError) Error() string {
	text := "job " + e.id
	if e.err != nil {
		text += ": " + e.err.Error()
	}
	if e.why != "" {
		text += ": " + e.why
	}
	return text
}
func (e *stateError) Unwrap() error { return e.err }

// findJob is the identifier that a word stands for.
func findJob(ctx context.Context, c box.Courier, word string) (string, error) {
	id, err := jobID(word)
	if err != nil || id != lastJob && len(id) == fullID {
		return id, err
	}
	list, err := job.List(ctx, c)
	if err != nil {
		return "", err
	}
	var found []string
	for _, i := range list {
		if store.CheckID(i.ID) == nil && (id == lastJob || strings.HasPrefix(i.ID, id)) {
			found = append(found, i.ID)
		}
	}
	switch {
	case len(found) == 0 && id == lastJob:
		return "", &stateError{id: id, err: job.ErrNotFound, why: "there are none"}
	case len(found) == 0:
		return "", &stateError{id: id, err: job.ErrNotFound, why: "deliveryboy jobs lists those that there are"}
	case id == lastJob:
		return found[len(found)-1], nil
	case len(found) > 1:
		return "", &usageError{what: "job", value: quote(word), why: fmt.Sprintf("%d jobs begin so: %s", len(found), some(found))}
	}
	return found[0], nil
}

// some are the newest of a list, in a line.
func some(ids []string) string {
	if len(ids) > maxNamed {
		return "… " + strings.Join(ids[len(ids)-maxNamed:], " ")
	}
	return strings.Join(ids, " ")
}

// completeJob completes the identifier of a job. A shell waits: it has what is there within 2 seconds, or nothing.
func (j *jobs) completeJob(cmd *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 || j.resolve(&j.via, "--via") != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	ctx, cancel := context.WithTimeout(cmd.Context(), askTime)
	defer cancel()
	over := time.After(completeTime)
	listed := make(chan []job.Info, 1)
	go func() { // ends soon after the context, or with this program, which is about to end
		once := delivery.OnceFor(j.via.spec)
		once.Stdout, once.Stderr = io.Discard, io.Discard
		via, done, err := j.via.way.through(ctx, once.Via, stopsWith(deployFlag{}, askFlag{}))
		defer done() //nolint:errcheck // this program ends
		if once.Via = via; err != nil {
			return
		}
		list, _ := job.List(ctx, once)
		listed <- list
	}()
	words := []string{}
	select {
	case list := <-listed:
		for _, i := range list {
			if store.CheckID(i.ID) == nil && strings.HasPrefix(i.ID, strings.ToLower(toComplete)) {
				words = append(words, i.ID+"\t"+plain.Cut(calledJob(i)+", "+stateOf(i), 60))
			}
		}
	case <-over:
	}
	if len(words) > 0 && strings.HasPrefix(lastJob, toComplete) {
		words = append(words, lastJob+"\tthe newest")
	}
	return words, cobra.ShellCompDirectiveNoFileComp | cobra.ShellCompDirectiveKeepOrder
}
