package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/seed354a1416/deliveryboy/box"
	"github.com/seed354a1416/deliveryboy/job"
)

func newJobCollect(j *jobs) *cobra.Command {
	var (
		age    = durationFlag{most: 10 * maxTimeout}
		count  = countFlag{most: 1 << 30}
		size   sizeFlag
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "gc [flags]",
		Short: "Take away jobs that nobody came for",
		Long: `gc takes away jobs that have ended, or are lost: those that were to be kept for a time
that is over, and those beyond the limits that are given, the oldest first. Jobs that
wait or run stay.`,
		Example: "  deliveryboy jobs gc --via sudo --age 168h --size 1GiB",
		Args:    exactly(0, ""),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return j.at(cmd.Context(), func(c box.Courier) error {
				done, err := job.Collect(cmd.Context(), c, job.Limits{Age: age.value, Count: count.value, Size: size.bytes})
				if err != nil {
					return err
				}
				if asJSON {
					return writeJSON(j.out, struct {
						Jobs int   `json:"jobs"`
						Size int64 `json:"size_bytes"`
						Left int   `json:"left"`
					}{done.Jobs, done.Size, done.Left})
				}
				return j.write(fmt.Sprintf("jobs taken away: %d, with %s; left: %d\n", done.Jobs, sizeText(done.Size), done.Left))
			})
		},
	}
	f := cmd.Flags()
	f.Var(&age, "age", "those that ended longer ago, such as 24h")
	f.Var(&count, "count", "the oldest, until there are no more than so many")
	f.Var(&size, "size", "the oldest, until they take no more disk than that, such as 1GiB")
	f.BoolVar(&asJSON, "json", false, "write one JSON document to stdout")
	return cmd
}
