package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/seed354a1416/deliveryboy/internal/pathway"
)

// searchPath says who else can decide what programs functions start: whoever can write to a directory of PATH, or to one on
// the way there.
func searchPath(asRoot bool) []Finding {
	if inUserNamespace() {
		return nil // owners has said that files do not show whose they are
	}
	var found []Finding
	bad := func(what string) {
		f := Finding{Check: checkPath, Severity: Warning, What: what, Fix: "Make it root's, and run: chmod go-w on it; or, where a call gives PATH in its environment, leave that directory out."}
		if asRoot {
			f.Severity = Error
		}
		if !slices.Contains(found, f) {
			found = append(found, f)
		}
	}
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			bad(fmt.Sprintf("PATH has %q: functions start programs out of whatever directory they are in", dir))
			continue
		}
		last, open := "", "" // the last step that is there, and who may make files in it
		_, _, err := pathway.Walk(dir, func(at string, info fs.FileInfo) error {
			why := changed(at, info, asRoot, true)
			last, open = at, why
			if why != "" && (info.Mode()&fs.ModeSticky == 0 || !strings.HasPrefix(why, "is writable")) {
				bad(fmt.Sprintf("PATH leads through %s, which %s", at, why))
				open = ""
			}
			return nil
		})
		switch {
		case open == "":
		case err == nil, errors.Is(err, fs.ErrNotExist):
			bad(fmt.Sprintf("PATH has %s, and %s %s, where everybody can so put programs", dir, last, open))
		}
	}
	return found
}
