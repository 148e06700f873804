//go:build !linux

package worker

import "time"

// There is no guardian on this system yet: nothing here finds the children of a process in other sessions.

type ward struct{}

const sayGrace = 'g'

func underGuard() *ward { return nil }

func (w *ward) say(byte, time.Duration) {}
func (w *ward) lost()                   {}
func (w *ward) beats(time.Duration)     {}
