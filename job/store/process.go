package store

// A Process is one process for all time: a number comes again, but not with the same start and boot.
type Process struct {
	PID   int
	Start uint64 // in ticks since the boot
	Boot  string // the boot's identifier
}
