package registry

import (
	"io"
	"io/fs"
	"log/slog"
	"os"
	"reflect"
)

// Live kinds stay on the caller's side of a call and are bridged while it runs. Everything else travels by value.
var (
	liveArguments = map[reflect.Type]string{
		reflect.TypeFor[io.Reader]():          "a live stream",
		reflect.TypeFor[io.Writer]():          "a live stream",
		reflect.TypeFor[io.ReadCloser]():      "a live stream",
		reflect.TypeFor[io.WriteCloser]():     "a live stream",
		reflect.TypeFor[io.ReadWriter]():      "a live stream",
		reflect.TypeFor[io.ReadWriteCloser](): "a live stream",
		reflect.TypeFor[*slog.Logger]():       "a live logger",
		reflect.TypeFor[fs.FS]():              "a live file system",
		reflect.TypeFor[*os.File]():           "an open file",
	}
	liveResults = map[reflect.Type]string{
		reflect.TypeFor[io.ReadCloser](): "a live stream",
		reflect.TypeFor[*os.File]():      "an open file",
	}
)

// liveKind says what kind of live argument or result a type is; "" if it is none.
func liveKind(what string, t reflect.Type) string {
	if what == "result" {
		return liveResults[t]
	}
	switch {
	case t.Kind() == reflect.Func:
		return "a callback"
	case t.Kind() == reflect.Chan && t.ChanDir() != reflect.BothDir:
		return "a live channel"
	}
	return liveArguments[t]
}
