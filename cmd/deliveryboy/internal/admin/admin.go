// Package admin is what the deliveryboy command can do on a far side without any program of its own there: functions
// about the host, its files, users, processes and sockets.
//
// They are ordinary Go functions, func(ctx, request) (result, error). Importing the package registers them, under names
// such as file.read. A request's zero fields mean the default; a result names its units. Linux is complete;
// where another system cannot tell something, the field stays zero or the error wraps [errors.ErrUnsupported].
package admin

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxShown is how much of a value from outside an error shows.
const maxShown = 80

// quote is s for an error: quoted, and cut at maxShown bytes.
func quote(s string) string {
	if len(s) <= maxShown {
		return strconv.Quote(s)
	}
	end := maxShown
	for end > 0 && !utf8.RuneStart(s[end]) {
		end--
	}
	return strconv.Quote(s[:end] + "…")
}

// checkPath says why path cannot name a file.
func checkPath(function, path string) error {
	if path == "" {
		return fmt.Errorf("%s: path is empty: give the path of a file", function)
	}
	if strings.ContainsRune(path, 0) {
		return fmt.Errorf("%s: path %s: it holds a NUL byte: no file has such a name", function, quote(path))
	}
	return nil
}

// splitPath is the directory of path and the name in it. It is not path/filepath: Clean would take "link/.." for nothing.
func splitPath(function, path string) (dir, name string, err error) {
	dir, name = filepath.Split(strings.TrimRight(path, "/"))
	if name == "" || name == "." || name == ".." {
		return "", "", fmt.Errorf("%s: path %s: it names no entry of a directory: give its real path", function, quote(path))
	}
	if dir == "" {
		dir = "."
	}
	return dir, name, nil
}

// limit is asked if it can be granted; 0 asks for the default.
func limit(function, field string, asked, byDefault, most int64) (int64, error) {
	switch {
	case asked == 0:
		return byDefault, nil
	case asked < 0 || asked > most:
		return 0, fmt.Errorf("%s: %s \"%d\": out of range: give 1 to %d", function, field, asked, most)
	}
	return asked, nil
}
