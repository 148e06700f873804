//go:build !linux

package process

// maxSignal is the highest signal.
const maxSignal = 31
