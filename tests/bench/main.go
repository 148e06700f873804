// Command bench measures what a call costs here, next to the least that it could cost.
//
//	make bench
//	bin/bench -run 'R[23]' -n 50
//	bin/bench -json
//
// Machines are shared and noisy, so nothing is compared across runs: each row takes turns between the library and a
// floor, which is this same program doing the bare minimum, and what counts is the median of the ratios within a turn.
// Rows about latency keep everything on one CPU: a wake-up across CPUs costs more than what is measured.
//
// As root on Linux the rows run as an ordinary user in a private place, see tests/stage; elsewhere those that need sudo
// or ssh say why they cannot. A row that misses its goal is a result, not a failure: the exit code is 0.
//
// What the rows are measured against: "start, end" is this program started through the same transport with the same
// options, ending at once; "echo" gives back what it gets; "pipe copy" is 64 MiB through a pipe, read or written a
// pipeful at a time; "copy of a whole" has all of it in memory at both ends, as a value must be.
//
// A new row is a value of type row in a file of its own, and a line in rows.
package main

import (
	"flag"
	"fmt"
	"os"
	"regexp"

	"github.com/seed354a1416/deliveryboy/delivery"
	"github.com/seed354a1416/deliveryboy/pool"
	"github.com/seed354a1416/deliveryboy/tests/stage"
)

// rows are all that is measured, in the order of the output.
func rows() []row {
	list := []row{coldRow(), sudoRow()}
	list = append(list, sshRows()...)
	list = append(list, warmRows()...)
	list = append(list, bulkRows()...)
	list = append(list, streamRows()...)
	list = append(list, sessionRows()...)
	list = append(list, jobRows()...)
	list = append(list, deployRows()...)
	list = append(list, poolRows()...)
	list = append(list, kernelValueRows()...)
	list = append(list, kernelProcessRows()...)
	list = append(list, growthRows()...)
	return append(list, warmGrowthRows()...)
}

func main() {
	playFloor(os.Args[1:])
	pool.Register()
	delivery.Main()
	rounds := flag.Int("n", 0, "rounds of each row; 0: as many as each row needs, some minutes in all")
	only := flag.String("run", "", "only the rows that match this `regexp`, such as 'R[23]'")
	asJSON := flag.Bool("json", false, "print JSON instead of a table")
	flag.Parse()
	pattern, err := regexp.Compile(*only)
	if err != nil || *rounds < 0 || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	findPeers()
	cpu := pinAll() // before the stage, so that its sshd is pinned too
	st := stage.Enter(stage.Options{Keep: []string{cpusVar, peersVar}})
	r := newReport(cpu)
	for _, row := range rows() {
		if pattern.MatchString(row.id + " " + row.name) {
			fmt.Fprintf(os.Stderr, "%s %s …\n", row.id, row.name)
			r.add(row.measure(st, *rounds))
		}
	}
	if *asJSON {
		err = r.json(os.Stdout)
	} else {
		err = r.table(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
