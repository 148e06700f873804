//go:build !linux

package main

import "runtime"

const cpusVar = "BENCH_CPUS"

// pinAll does nothing: these systems do not let a process choose its CPU, or each in its own way.
func pinAll() string { return "all CPUs, not pinned on " + runtime.GOOS }

func spreadOut() (back func()) { return func() {} }
