package registry

import (
	"fmt"
	"reflect"
	"runtime"
	"strings"
)

// ours are the packages whose frames lie between a registration and the line that asked for it.
var ours = func() []string {
	here := reflect.TypeFor[Entry]().PkgPath()
	return []string{here + ".", strings.TrimSuffix(here, "registry") + "delivery."}
}()

// position is the file:line that called into this package, with the last directory only: the rest differs from one
// machine to the next.
func position() string {
	pcs := make([]uintptr, 16)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(2, pcs)])
	for {
		f, more := frames.Next()
		if !isOurs(f.Function) {
			parts := strings.Split(f.File, "/")
			return fmt.Sprintf("%s:%d", strings.Join(parts[max(0, len(parts)-2):], "/"), f.Line)
		}
		if !more {
			return "unknown position"
		}
	}
}

func isOurs(function string) bool {
	for _, prefix := range ours {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
}
