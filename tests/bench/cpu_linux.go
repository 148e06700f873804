package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cpusVar tells the process inside the stage which CPUs the one outside had, as "0,1".
const cpusVar = "BENCH_CPUS"

// pinAll keeps this process, and all that it starts from now on, on the last of its CPUs; the first ones serve most
// interrupts. It says which one that is.
func pinAll() string {
	var set unix.CPUSet
	if err := unix.SchedGetaffinity(0, &set); err != nil {
		return "all CPUs: " + err.Error()
	}
	cpus := listOf(set)
	last := cpus[len(cpus)-1]
	if os.Getenv(cpusVar) == "" {
		if err := os.Setenv(cpusVar, strings.Join(cpus, ",")); err != nil {
			return "all CPUs: " + err.Error()
		}
	}
	if err := useCPUs([]string{last}); err != nil {
		return "all CPUs: " + err.Error()
	}
	return "CPU " + last
}

// spreadOut lets this process, and what it starts, use all CPUs until back is called.
func spreadOut() (back func()) {
	if err := useCPUs(strings.Split(os.Getenv(cpusVar), ",")); err != nil {
		fmt.Fprintln(os.Stderr, "bench: not spread over all CPUs:", err)
	}
	return func() { pinAll() }
}

func listOf(set unix.CPUSet) []string {
	var cpus []string
	for cpu := range 1024 {
		if set.IsSet(cpu) {
			cpus = append(cpus, strconv.Itoa(cpu))
		}
	}
	return cpus
}

// useCPUs moves every thread of this process: a new thread, and a new process, inherits from the one that starts it.
func useCPUs(cpus []string) error {
	var set unix.CPUSet
	for _, cpu := range cpus {
		n, err := strconv.Atoi(cpu)
		if err != nil {
			return err
		}
		set.Set(n)
	}
	for range 2 { // a thread may start another one while they are listed
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			return err
		}
		for _, t := range threads {
			id, err := strconv.Atoi(t.Name())
			if err != nil {
				return err
			}
			if err := unix.SchedSetaffinity(id, &set); err != nil && err != unix.ESRCH {
				return err
			}
		}
	}
	runtime.SetDefaultGOMAXPROCS()
	return nil
}
