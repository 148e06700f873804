//go:build !linux

package stage

import "runtime"

// Enter reports that there is no stage on this system; see the Linux version.
func Enter(Options) *Stage {
	return without("the stage is not supported on "+runtime.GOOS, features...)
}
