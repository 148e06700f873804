//go:build !linux

package store

import "os"

// Self is this process.
func Self() Process { return Process{PID: os.Getpid()} }
